//! What the files made for editors are called, and reels. Pure.

use std::collections::BTreeSet;

use syncslate_shared::files::Base;
use syncslate_shared::take::TakeId;

/// The folder beside the nodes' folders that is ours to make.
pub const FOLDER: &str = "editor";
/// EDLs have room for so many characters of a reel.
const REEL: usize = 8;

/// A file made for editors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Product {
    /// `.otio`: the timeline by OpenTimelineIO.
    Otio,
    /// `.fcpxml`: for Final Cut Pro.
    Fcpxml,
    /// `.xml`: Final Cut Pro 7's, for Premiere.
    Xmeml,
    /// `_markers.csv`
    MarkersCsv,
    /// `_markers.edl`
    MarkersEdl,
    /// `_export.json`: what was made, of what.
    Record,
    /// `_conform.csv`: which frames were shown more than once or not at all.
    Conform,
    /// `_sheet.html`: the contact sheet.
    Sheet,
}

impl Product {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Otio,
        Self::Fcpxml,
        Self::Xmeml,
        Self::MarkersCsv,
        Self::MarkersEdl,
        Self::Record,
        Self::Conform,
        Self::Sheet,
    ];

    const fn end(self) -> &'static str {
        match self {
            Self::Otio => ".otio",
            Self::Fcpxml => ".fcpxml",
            Self::Xmeml => ".xml",
            Self::MarkersCsv => "_markers.csv",
            Self::MarkersEdl => "_markers.edl",
            Self::Record => "_export.json",
            Self::Conform => "_conform.csv",
            Self::Sheet => "_sheet.html",
        }
    }

    /// What browsers are told that it is.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Otio | Self::Record => "application/json",
            Self::Fcpxml | Self::Xmeml => "application/xml",
            Self::MarkersCsv | Self::Conform => "text/csv; charset=utf-8",
            Self::MarkersEdl => "text/plain; charset=utf-8",
            Self::Sheet => "text/html; charset=utf-8",
        }
    }
}

/// What a camera's film is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Film {
    /// `<base>.mp4`: the footage's own pictures with their true times.
    True,
    /// `<base>_conformed.mp4`: of a constant rate.
    Conformed,
    /// `<base>_proxy.mp4`: small and of a constant rate, for playing all cameras at once.
    Proxy,
}

impl Film {
    /// All; the one that every film's name ends like comes last.
    pub const ALL: [Self; 3] = [Self::Conformed, Self::Proxy, Self::True];

    const fn end(self) -> &'static str {
        match self {
            Self::True => ".mp4",
            Self::Conformed => "_conformed.mp4",
            Self::Proxy => "_proxy.mp4",
        }
    }
}

/// What a file in the folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// One of a take's files.
    Of(TakeId, Product),
    /// A camera's film.
    Film(Base, Film),
}

/// The name of a take's file.
pub fn file(id: &TakeId, product: Product) -> String {
    format!("{id}{}", product.end())
}

/// The name of a camera's film.
pub fn film(base: &Base, film: Film) -> String {
    format!("{base}{}", film.end())
}

/// Reads a file name; `None` for what is not ours.
pub fn parse(file: &str) -> Option<Named> {
    if let Some((film, base)) = Film::ALL.into_iter().find_map(|film| Some((film, file.strip_suffix(film.end())?))) {
        // The digest list of the same base has a name that is read by its own parser.
        let (base, _) = Base::parse(&format!("{base}.sha256"))?;
        return Some(Named::Film(base, film));
    }
    let (id, product) = Product::ALL.into_iter().find_map(|product| {
        let id = file.strip_suffix(product.end())?;
        Some((TakeId::try_from(id.to_owned()).ok()?, product))
    })?;
    Some(Named::Of(id, product))
}

/// A reel for each of these camera names: capital letters and digits, at most eight, no two alike.
pub fn reels<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut reels = Vec::new();
    for (place, name) in names.into_iter().enumerate() {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).take(REEL).collect();
        let plain = if plain.is_empty() { format!("CAM{}", place + 1) } else { plain.to_ascii_uppercase() };
        let numbered = (2..).map(|n| {
            let number = format!("{n}");
            let kept: String = plain.chars().take(REEL - number.len().min(REEL)).collect();
            format!("{kept}{number}")
        });
        let reel = std::iter::once(plain.clone()).chain(numbered).find(|reel| !used.contains(reel)).unwrap_or_default();
        used.insert(reel.clone());
        reels.push(reel);
    }
    reels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let id = TakeId::try_from("a_sync_20251023_140210".to_owned()).unwrap();
        for product in Product::ALL {
            assert_eq!(parse(&file(&id, product)), Some(Named::Of(id.clone(), product)));
        }
        let base = Base { id, ip: [10, 0, 0, 1].into() };
        for kind in Film::ALL {
            assert_eq!(parse(&film(&base, kind)), Some(Named::Film(base.clone(), kind)));
        }
        for foreign in ["holiday.mp4", "../a_10_0_0_1_20251023_140210.mp4", "a.otio", ".otio", "a_20251023_140210.mov"]
        {
            assert_eq!(parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn reels_are_short_and_no_two_alike() {
        let names = ["left", "Left!", "a very long name", "AVERYLONG name", "", "камера", "CAM5"];
        assert_eq!(reels(names), ["LEFT", "LEFT2", "AVERYLON", "AVERYLO2", "CAM5", "CAM6", "CAM52"]);
    }
}
