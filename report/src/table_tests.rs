use proptest::prelude::*;
use syncslate_shared::files::FrameRow;

use super::*;

fn read(text: &str) -> Table {
    Table::read(text.as_bytes()).unwrap()
}

/// A table of so many frames at 30 a second, one line each.
fn lines(frames: u32) -> Vec<String> {
    let row = |frame: u32| FrameRow {
        frame: frame.into(),
        segment: frame / 1800,
        offset: u64::from(frame) * 4321,
        bytes: 4321,
        key: frame.is_multiple_of(15),
        time: Wall::from_micros(1_761_220_930_500_000 + i64::from(frame) * 100_000 / 3),
    };
    std::iter::once(FRAMES_HEADER.to_owned()).chain((0..frames).map(|n| row(n).to_string())).collect()
}

fn joined(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

/// Gives a few bytes at a time, so that lines are cut anywhere.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(self.0.len()).min(into.len());
        into[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

#[test]
fn a_whole_table_is_read_however_it_comes() {
    let text = joined(&lines(1000));
    let table = read(&text);
    assert_eq!((table.len(), table.damaged, table.torn), (1000, 0, false));
    assert_eq!((table.numbers[999], table.times[3]), (999, 1_761_220_930_600_000));
    for size in [1, 7, 61, 4096] {
        assert_eq!(Table::read(Drip(text.as_bytes(), size)).unwrap(), table, "{size} bytes at a time");
    }
}

#[test]
fn empty_and_torn_tables_are_no_errors() {
    assert_eq!(read(""), Table::default());
    assert!(read("frame,seg").torn);
    assert_eq!(read(&format!("{FRAMES_HEADER}\n")), Table::default());
    let torn = joined(&lines(7)) + "7,0,30";
    assert_eq!((read(&torn).len(), read(&torn).torn, read(&torn).damaged), (7, true, 0));
    assert_eq!(read(&joined(&lines(1))).len(), 1);
}

#[test]
fn damaged_lines_are_named_and_the_rest_is_used() {
    let whole = lines(100);
    for (at, text, why) in [
        (40, "x", "line 41: column frame is no number"),
        (40, "39,0,1", "line 41: column bytes is missing"),
        (40, "39,0,1,2,3,4", "line 41: column key is neither 0 nor 1"),
        (40, "39,0,1,2,0,4,5", "line 41: it has more columns than six"),
        (40, "39,0,1,2,0,999999999999999999", "line 41: column time_us lies after the year 9999"),
        (40, "99999999999,0,1,2,0,4", "line 41: column frame is too large"),
        (40, "39,0,1,2,0,-4", "line 41: column time_us is no number"),
        (40, "", "line 41: column frame is no number"),
        (40, "91,0,1,2,0,1761220931766666", "line 41: frame 91 stands where frame 39 belongs"),
        (40, "3,0,1,2,0,1761220931766666", "line 41: frame 3 stands where frame 39 belongs"),
        (40, "39,0,1,2,0,1761226931766666", "frame 39: its time does not lie between those around it"),
        (100, "99,0,1,2", "line 101: column key is missing"),
    ] {
        let mut lines = whole.clone();
        text.clone_into(&mut lines[at]);
        let table = read(&joined(&lines));
        assert_eq!((table.len(), table.damage), (99, vec![why.to_owned()]), "{text}");
    }
    let mut long = whole.clone();
    long[40] = "1".repeat(1_000_000);
    let table = read(&joined(&long));
    assert_eq!((table.len(), table.damage), (99, vec!["line 41: it is too long".into()]));
    let mut headless = whole;
    "a,b".clone_into(&mut headless[0]);
    assert_eq!(read(&joined(&headless)).damage, [format!("line 1: it is not {FRAMES_HEADER}")]);
    assert_eq!(read(&joined(&headless)).len(), 100);
}

#[test]
fn damage_without_end_is_counted_and_not_told_without_end() {
    let table = read(&"nonsense\n".repeat(5000));
    assert_eq!((table.len(), table.damage.len()), (0, TOLD));
    assert!(table.damaged >= 4999);
}

#[test]
fn a_clock_that_is_set_back_is_no_damage() {
    let mut lines = lines(100);
    for line in &mut lines[51..] {
        let (head, time) = line.rsplit_once(',').unwrap();
        *line = format!("{head},{}", time.parse::<i64>().unwrap() - 2_000_000);
    }
    let table = read(&joined(&lines));
    assert_eq!((table.len(), table.damaged), (100, 0));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), size in 1usize..50) {
        let table = Table::read(Drip(&bytes, size)).unwrap();
        prop_assert_eq!(table.numbers.len(), table.times.len());
        prop_assert!(table.numbers.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_flipped_byte_costs_little(at in 0usize..6000, byte in any::<u8>()) {
        let mut text = joined(&lines(200)).into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let table = Table::read(text.as_slice()).unwrap();
        prop_assert!(table.len() >= 198, "{} frames, {:?}", table.len(), table.damage);
        prop_assert!(table.numbers.is_sorted_by(|a, b| a < b));
    }
}
