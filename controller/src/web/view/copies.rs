//! What of a take lies on the cameras still, what can be deleted there, and what stays and why. Pure.

use std::collections::BTreeSet;

use serde::Serialize;
use syncslate_shared::take::TakeId;

use super::{node_name, words};
use crate::freeable::{Freeable, State};
use crate::snapshot::Snapshot;

/// One take's copies; several takes may bear one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Copies {
    /// The name it was recorded by, which the cameras know it by.
    take: String,
    stamp: String,
    /// Which one it is, where there are several.
    date: Option<String>,
    /// Deletes all that can be deleted; `None` for fewer than two cameras.
    all: Option<String>,
    cameras: Vec<Copy>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Copy {
    ip: String,
    name: String,
    text: String,
    /// Why it stays.
    why: Option<String>,
    /// Deletes it.
    button: Option<String>,
}

/// By take, newest first; nothing when all copies were deleted.
pub(super) fn copies(found: &[Freeable], snapshot: &Snapshot) -> Vec<Copies> {
    let ids: BTreeSet<&TakeId> = found.iter().map(|found| &found.id).collect();
    if found.iter().all(|found| found.state == State::Deleted) {
        return Vec::new();
    }
    let several = ids.len() > 1;
    let mut groups: Vec<_> = ids.into_iter().map(|id| group(id, several, found, snapshot)).collect();
    groups.sort_by(|a, b| b.stamp.cmp(&a.stamp));
    groups
}

fn group(id: &TakeId, several: bool, found: &[Freeable], snapshot: &Snapshot) -> Copies {
    let of_it: Vec<_> = found.iter().filter(|found| found.id == *id).collect();
    let ready: Vec<_> = of_it.iter().filter(|found| found.state == State::Ready).collect();
    let bytes = ready.iter().map(|found| found.bytes).sum();
    let cameras = words::count(ready.len() as u64, "camera", "cameras");
    Copies {
        take: id.name.to_string(),
        stamp: id.stamp.to_string(),
        date: several.then(|| id.stamp.readable()),
        all: (ready.len() > 1).then(|| format!("Delete {} on {cameras}", words::bytes(bytes))),
        cameras: of_it.into_iter().map(|found| copy(found, snapshot)).collect(),
    }
}

fn copy(found: &Freeable, snapshot: &Snapshot) -> Copy {
    let size = format!("{}, {}", words::count(found.files, "file", "files"), words::bytes(found.bytes));
    Copy {
        ip: found.ip.to_string(),
        name: node_name(snapshot, found.ip),
        text: match found.state {
            State::Ready => format!("{size}: all proven here"),
            State::Refused => format!("{size}: stay there"),
            State::Deleted => "deleted there".into(),
        },
        why: found.why.clone(),
        button: (found.state == State::Ready).then(|| format!("Delete {}", words::bytes(found.bytes))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use syncslate_shared::take::TakeName;

    use super::*;

    #[test]
    fn each_take_of_a_name_has_its_own_buttons() {
        let desk = crate::kit::Rig::new(0);
        let snapshot = desk.desk.snapshot(desk.now().wall);
        let found = |second: u8, n: u8, state| Freeable {
            take: TakeName::new("wide").unwrap(),
            id: TakeId::try_from(format!("A_20251023_1402{second}")).unwrap(),
            ip: Ipv4Addr::new(10, 0, 0, n),
            state,
            files: 5,
            bytes: 7_000_000,
            why: (state == State::Refused).then(|| "x.h264 is not verified".into()),
        };
        let table = [found(17, 1, State::Ready), found(17, 2, State::Ready), found(31, 1, State::Refused)];
        let groups = copies(&table, &snapshot);
        let told: Vec<_> = groups.iter().map(|g| (g.stamp.as_str(), g.all.as_deref(), g.cameras.len())).collect();
        assert_eq!(told, [("20251023_140231", None, 1), ("20251023_140217", Some("Delete 14.0 MB on 2 cameras"), 2)]);
        assert_eq!((groups[0].take.as_str(), groups[0].date.as_deref()), ("A", Some("2025-10-23 14:02:31")));
        let stays = &groups[0].cameras[0];
        assert_eq!((stays.button.as_deref(), stays.why.as_deref()), (None, Some("x.h264 is not verified")));
        assert_eq!(copies(&[found(17, 1, State::Deleted)], &snapshot), []);
    }
}
