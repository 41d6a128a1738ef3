//! Take names, stamps and ids, and marks: the words that everything else is named by. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::{Local, NaiveDateTime};
use serde::{Deserialize, Serialize};

use crate::time::Wall;

/// The longest take name, in characters (all of them ASCII).
pub const MAX_NAME: usize = 64;

/// The longest note of a mark, in bytes; what is longer is refused.
pub const MAX_NOTE: usize = 16 * 1024;

/// A take's name as the operator typed it: 1–64 of `A–Z a–z 0–9 . _ -`, the first a letter or a digit.
/// It is safe as a file name and as an argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TakeName(String);

/// Why a text is no take name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was typed.
    #[error("a take name needs at least one character")]
    Empty,
    /// More than [`MAX_NAME`] characters; how many there are.
    #[error("a take name has at most {MAX_NAME} characters, this one has {0}")]
    Long(usize),
    /// It starts with something else than a letter or a digit.
    #[error("a take name starts with a letter or a digit, not with `{}`", .0.escape_debug())]
    Start(char),
    /// It holds a character that file names on all systems do not bear.
    #[error("a take name is made of the letters A–Z and a–z, digits, `.`, `_` and `-`; it cannot hold `{}`", .0.escape_debug())]
    Character(char),
}

impl TakeName {
    /// Checks `text`; nothing is trimmed or rewritten.
    ///
    /// # Errors
    /// The first rule that `text` breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let first = text.chars().next().ok_or(NameError::Empty)?;
        if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-".contains(*c))) {
            return Err(NameError::Character(bad));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(NameError::Start(first));
        }
        if text.len() > MAX_NAME {
            return Err(NameError::Long(text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name that nobody typed: `take_001`, `take_002` and so on.
    pub fn numbered(n: u32) -> Self {
        Self(format!("take_{n:03}"))
    }

    /// The number `n` of a name that [`TakeName::numbered`] made.
    pub fn number(&self) -> Option<u32> {
        let n = self.0.strip_prefix("take_")?.parse().ok()?;
        (Self::numbered(n) == *self).then_some(n)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TakeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TakeName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for TakeName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<TakeName> for String {
    fn from(name: TakeName) -> Self {
        name.0
    }
}

/// T0 in the Control Pi's local time, `YYYYMMDD_HHMMSS`: the part of a take's file names that tells two takes
/// of one name apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stamp(String);

impl Stamp {
    const FORMAT: &'static str = "%Y%m%d_%H%M%S";
    /// Every stamp has this many characters.
    pub const LEN: usize = 15;

    /// The stamp of `t0` in this machine's time zone.
    pub fn local(t0: Wall) -> Self {
        Self(t0.utc().with_timezone(&Local).format(Self::FORMAT).to_string())
    }

    /// The stamp as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The local date and time for people, `2025-10-23 14:02:10`.
    pub fn readable(&self) -> String {
        NaiveDateTime::parse_from_str(&self.0, Self::FORMAT).map_or_else(|_| self.0.clone(), |t| t.to_string())
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Stamp {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let shape = text.len() == Self::LEN
            && text.bytes().enumerate().all(|(i, b)| if i == 8 { b == b'_' } else { b.is_ascii_digit() });
        if shape && NaiveDateTime::parse_from_str(&text, Self::FORMAT).is_ok() {
            Ok(Self(text))
        } else {
            Err(format!("`{}` is no stamp such as 20251023_140210", text.escape_debug()))
        }
    }
}

impl From<Stamp> for String {
    fn from(stamp: Stamp) -> Self {
        stamp.0
    }
}

/// One take for good: its name and its stamp, `test_001_windy_20251023_140210`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TakeId {
    /// What the operator typed.
    pub name: TakeName,
    /// T0, to the second.
    pub stamp: Stamp,
}

impl fmt::Display for TakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.name, self.stamp)
    }
}

impl TryFrom<String> for TakeId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("`{}` is no take id such as test_001_20251023_140210", text.escape_debug());
        let at = text.len().checked_sub(Stamp::LEN + 1).ok_or_else(bad)?;
        let (name, rest) = text.split_at_checked(at).ok_or_else(bad)?;
        let stamp = rest.strip_prefix('_').ok_or_else(bad)?;
        Ok(Self {
            name: TakeName::new(name).map_err(|e| format!("{}: {e}", bad()))?,
            stamp: Stamp::try_from(stamp.to_owned())?,
        })
    }
}

impl From<TakeId> for String {
    fn from(id: TakeId) -> Self {
        id.to_string()
    }
}

/// A moment that the operator marked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its number within the take, from 1.
    pub n: u32,
    /// The instant of the press.
    pub at: Wall,
    /// What the operator wrote, empty when nothing.
    pub note: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_names_are_refused_with_their_reason() {
        let table: [(&str, &str); 9] = [
            ("", "at least one character"),
            ("../etc/passwd", "cannot hold `/`"),
            ("..", "starts with a letter or a digit, not with `.`"),
            ("-rf", "starts with a letter or a digit, not with `-`"),
            (".hidden", "not with `.`"),
            ("two words", "cannot hold ` `"),
            ("a\0b", "cannot hold `\\0`"),
            ("é", "cannot hold `é`"),
            (&"x".repeat(65), "at most 64 characters, this one has 65"),
        ];
        for (text, reason) in table {
            let error = TakeName::new(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn names_without_an_operator_are_numbered() {
        assert_eq!(TakeName::numbered(7).as_str(), "take_007");
        assert_eq!(TakeName::new("take_007").unwrap().number(), Some(7));
        assert_eq!(TakeName::new("take_7").unwrap().number(), None);
        assert_eq!(TakeName::new("take_1234").unwrap().number(), Some(1234));
    }

    proptest! {
        #[test]
        fn ids_survive_their_text(name in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", us in 0i64..4_000_000_000_000_000) {
            let id = TakeId { name: TakeName::new(&name).unwrap(), stamp: Stamp::local(Wall::from_micros(us)) };
            prop_assert_eq!(TakeId::try_from(id.to_string()), Ok(id));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,80}") {
            let _ = TakeName::new(&text);
            let _ = TakeId::try_from(text.clone());
            let _ = Stamp::try_from(text);
        }
    }
}
