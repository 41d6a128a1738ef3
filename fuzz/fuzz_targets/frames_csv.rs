//! Rows of the frame table survive their text, and a table is its rows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_shared::files::{FRAMES_HEADER, FrameRow};

fuzz_target!(|text: &str| {
    let _ = FrameRow::parse_table(text);
    if let Ok(row) = FrameRow::parse(text) {
        assert_eq!(FrameRow::parse(&row.to_string()), Ok(row));
    }
    if let Ok(rows) = FrameRow::parse_table(&format!("{FRAMES_HEADER}\n{text}")) {
        let whole: String = rows.iter().map(|row| format!("{row}\n")).collect();
        assert_eq!(FrameRow::parse_table(&format!("{FRAMES_HEADER}\n{whole}")), Ok(rows));
    }
});
