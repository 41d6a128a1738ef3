//! What the report's files are called. Pure.

use syncslate_shared::take::TakeId;

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `<id>_sync.json`, for programs.
    Json,
    /// `<id>_sync.html`, for people.
    Html,
}

impl Form {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Json, Self::Html];

    const fn end(self) -> &'static str {
        match self {
            Self::Json => "_sync.json",
            Self::Html => "_sync.html",
        }
    }
}

/// The name of a take's report in the take's folder.
pub fn file(id: &TakeId, form: Form) -> String {
    format!("{id}{}", form.end())
}

/// Reads a file name; `None` for one that is no report.
pub fn parse(file: &str) -> Option<(TakeId, Form)> {
    let (id, form) = Form::ALL.into_iter().find_map(|form| Some((file.strip_suffix(form.end())?, form)))?;
    Some((TakeId::try_from(id.to_owned()).ok()?, form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let id = TakeId::try_from("a_sync.json_20251023_140210".to_owned()).unwrap();
        for form in Form::ALL {
            assert_eq!(parse(&file(&id, form)), Some((id.clone(), form)));
        }
        for foreign in ["_sync.json", "a_sync.json", "../a_20251023_140210_sync.json", "a_20251023_140210_sync.txt"] {
            assert_eq!(parse(foreign), None, "{foreign}");
        }
    }
}
