//! Which takes of one name: a name may be used again, and the stamp tells its takes apart. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use syncslate_shared::take::Stamp;

/// All of a name's takes, none, or those with these stamps. Its JSON is `true`, `false` or the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Which {
    /// Every one, or none.
    Every(bool),
    /// Only these.
    Only(BTreeSet<Stamp>),
}

impl Which {
    /// All of them.
    pub const ALL: Self = Self::Every(true);
    /// None of them.
    pub const NONE: Self = Self::Every(false);

    /// The one with this stamp, or all when none is named.
    pub fn named(stamp: Option<Stamp>) -> Self {
        stamp.map_or(Self::ALL, |stamp| Self::Only(BTreeSet::from([stamp])))
    }

    /// Whether the take with this stamp is one of them.
    pub fn holds(&self, stamp: &Stamp) -> bool {
        match self {
            Self::Every(all) => *all,
            Self::Only(stamps) => stamps.contains(stamp),
        }
    }

    /// Whether no take is.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether every take of `other` is one of them too.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Every(true), _) | (_, Self::Every(false)) => true,
            (_, Self::Every(true)) | (Self::Every(false), _) => false,
            (Self::Only(ours), Self::Only(theirs)) => theirs.is_subset(ours),
        }
    }

    /// These and those of `other`.
    pub fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Every(true), _) | (_, Self::Every(false)) => {}
            (_, Self::Every(true)) | (Self::Every(false), _) => *self = other.clone(),
            (Self::Only(ours), Self::Only(theirs)) => ours.extend(theirs.iter().cloned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(second: u8) -> Stamp {
        Stamp::try_from(format!("20251023_1402{second:02}")).unwrap()
    }

    fn only(seconds: &[u8]) -> Which {
        Which::Only(seconds.iter().map(|second| stamp(*second)).collect())
    }

    #[test]
    fn what_is_joined_holds_both_and_nothing_else() {
        let all = [Which::NONE, Which::ALL, only(&[7]), only(&[7, 13]), only(&[29])];
        for a in &all {
            for b in &all {
                let mut both = a.clone();
                both.join(b);
                for second in [7, 13, 29, 31] {
                    let (in_a, in_b) = (a.holds(&stamp(second)), b.holds(&stamp(second)));
                    assert_eq!(both.holds(&stamp(second)), in_a || in_b, "{a:?} {b:?} {second}");
                    assert!(!a.covers(b) || !in_b || in_a, "{a:?} {b:?} {second}");
                }
                assert!(both.covers(a) && both.covers(b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_queue_of_before_is_read() {
        let read = |json: &str| serde_json::from_str::<Which>(json).unwrap();
        assert_eq!((read("true"), read("false")), (Which::ALL, Which::NONE));
        assert_eq!(read(r#"["20251023_140207"]"#), only(&[7]));
        assert_eq!(serde_json::to_string(&only(&[7])).unwrap(), r#"["20251023_140207"]"#);
    }
}
