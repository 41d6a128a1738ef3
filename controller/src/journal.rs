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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The take.
    pub id: TakeId,
    /// Who recorded it.
    pub nodes: Vec<Ipv4Addr>,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    v: u32,
    take: CurrentTake,
    marks: Marks,
    /// Not in journals of version 0.1.0.
    #[serde(default)]
    marked: u32,
    history: Vec<Past>,
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
            history: self.history.clone(),
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
        Ok(Self { take, marks: marks.marks, marked, history, numbered })
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
