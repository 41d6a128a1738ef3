//! What must survive a restart: the take and its marks, and which takes there were. Pure; [`crate::store`] keeps it.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use syncslate_shared::protocol::{CurrentTake, Marks, Take, VERSION, read};
use syncslate_shared::take::{Mark, TakeId};

/// How many past takes are remembered: enough for weeks of filming, little enough to be written at every mark.
pub const MAX_HISTORY: usize = 300;

/// The journal's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The last take, rolling or not; `None` before the first one.
    pub take: Option<Take>,
    /// Its marks.
    pub marks: Vec<Mark>,
    /// The highest number that a mark of it ever bore, deleted ones too.
    pub marked: u32,
    /// The last takes, oldest first, the present one too.
    pub history: Vec<Past>,
    /// The highest number of a `take_NNN` there ever was.
    pub numbered: u32,
}

/// A take that there was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The take.
    pub id: TakeId,
    /// Who recorded it.
    pub nodes: Vec<Ipv4Addr>,
}

/// A past take as it is written. Most have the nodes of the one before them, and hundreds of takes of hundreds of nodes
/// would be megabytes at every mark.
#[derive(Serialize, Deserialize)]
struct PastOnDisk {
    id: TakeId,
    /// Of those of the take before if they are not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nodes: Option<Vec<Ipv4Addr>>,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    v: u32,
    take: CurrentTake,
    marks: Marks,
    /// Not in journals of version 0.1.0.
    #[serde(default)]
    marked: u32,
    history: Vec<PastOnDisk>,
    numbered: u32,
}

impl Journal {
    /// As it is written to the disk.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(&OnDisk {
            v: VERSION,
            take: CurrentTake::of(self.take.as_ref()),
            marks: self.marks(),
            marked: self.marked,
            history: written(&self.history),
            numbered: self.numbered,
        })
        .unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Reads it back.
    ///
    /// # Errors
    /// What is wrong with it and at which field.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let OnDisk { v, take, marks, marked, history, numbered } = read(json)?;
        if v != VERSION {
            return Err(format!("field `v`: version {v} is not {VERSION}"));
        }
        let take = take.take().map_err(|e| format!("field `take`: {e}"))?;
        if marks.id.as_ref() != take.as_ref().map(|t| &t.id) {
            return Err("field `marks`: they belong to another take".into());
        }
        Ok(Self { take, marks: marks.marks, marked, history: remembered(history), numbered })
    }

    /// The marks as they are said.
    pub fn marks(&self) -> Marks {
        Marks { id: self.take.as_ref().map(|t| t.id.clone()), marks: self.marks.clone() }
    }

    /// The take that is being recorded.
    pub fn rolling(&self) -> Option<&Take> {
        self.take.as_ref().filter(|take| take.rolling())
    }

    /// Remembers the present take among the past ones, with its newest roster.
    pub fn note_past(&mut self) {
        let Some(take) = &self.take else { return };
        self.numbered = self.numbered.max(take.id.name.number().unwrap_or(0));
        self.history.retain(|past| past.id != take.id);
        self.history.push(Past { id: take.id.clone(), nodes: take.nodes.clone() });
        let excess = self.history.len().saturating_sub(MAX_HISTORY);
        self.history.drain(..excess);
    }
}

fn written(history: &[Past]) -> Vec<PastOnDisk> {
    let before = std::iter::once(None).chain(history.iter().map(|past| Some(&past.nodes)));
    let both = history.iter().zip(before);
    both.map(|(past, before)| PastOnDisk {
        id: past.id.clone(),
        nodes: (before != Some(&past.nodes)).then(|| past.nodes.clone()),
    })
    .collect()
}

fn remembered(history: Vec<PastOnDisk>) -> Vec<Past> {
    let mut last = Vec::new();
    let whole = history.into_iter().map(|past| {
        let nodes = past.nodes.unwrap_or_else(|| last.clone());
        last.clone_from(&nodes);
        Past { id: past.id, nodes }
    });
    whole.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(second: u8, nodes: &[u8]) -> Past {
        let id = serde_json::from_value(serde_json::json!(format!("a_20251023_1402{second:02}"))).unwrap();
        Past { id, nodes: nodes.iter().map(|last| Ipv4Addr::new(10, 0, 0, *last)).collect() }
    }

    #[test]
    fn takes_remember_their_nodes_however_they_change() {
        let rosters: [&[u8]; 7] = [&[], &[1, 2], &[1, 2], &[1], &[], &[], &[1]];
        let history: Vec<Past> = rosters.iter().zip(0..).map(|(nodes, second)| past(second, nodes)).collect();
        let journal = Journal { history, ..Journal::default() };
        assert_eq!(Journal::from_json(&journal.to_json()), Ok(journal));
    }

    #[test]
    fn journals_that_named_the_nodes_of_each_take_are_read() {
        let journal = Journal { history: vec![past(0, &[1, 2]), past(1, &[1, 2])], ..Journal::default() };
        let mut json: serde_json::Value = serde_json::from_slice(&journal.to_json()).unwrap();
        assert!(json["history"][1].get("nodes").is_none());
        json["history"][1]["nodes"] = json["history"][0]["nodes"].clone();
        assert_eq!(Journal::from_json(json.to_string().as_bytes()), Ok(journal));
    }

    #[test]
    fn hundreds_of_takes_of_hundreds_of_nodes_are_little_to_write() {
        let nodes: Vec<Ipv4Addr> = (0..300).map(|n| Ipv4Addr::from(0x0a00_0001 + n)).collect();
        let history = (0..300).map(|n| Past { nodes: nodes.clone(), ..past((n % 60) as u8, &[]) }).collect();
        let bytes = Journal { history, ..Journal::default() }.to_json().len();
        assert!(bytes < 40_000, "{bytes}");
    }
}
