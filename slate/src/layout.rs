//! The code on the slate: which module says what. The page draws by the same table ([`script`] makes it, a test
//! compares), so the two cannot differ. Pure.
//!
//! A white card of 20 by 20 modules on a dark page. Two modules of margin all around, then 16 by 16 modules: in each
//! corner a mark of 3 by 3 black modules, set apart by one white module; the upper left one has a white middle. What is
//! left of each quarter is a **field** of 48 modules. The fields take turns: each display refresh changes one of them,
//! clockwise from the upper left, so three are still while one changes.

use std::fmt::Write as _;

/// Modules along a side, without the margin.
pub const SIDE: usize = 16;
/// White modules around.
pub const MARGIN: usize = 2;
/// Modules along a side of the corner that a mark has for itself.
pub const CORNER: usize = 4;
/// Modules along a side of a mark.
pub const MARK: usize = 3;
/// Fields on the card.
pub const FIELDS: usize = 4;
/// Modules of a field.
pub const BITS: usize = SIDE * SIDE / FIELDS - CORNER * CORNER;
/// The slate's time begins anew after so many milliseconds: 4 h 39 min.
pub const CYCLE_MS: i64 = 1 << 24;
/// The middles of the marks in modules, clockwise from the upper left.
pub const MARKS: [[f64; 2]; 4] = [[1.5, 1.5], [14.5, 1.5], [14.5, 14.5], [1.5, 14.5]];

/// Turned over in every field, so that no time makes large even areas.
const MASK: u64 = 0x5a_c3_96_35_ca_69;

/// What a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The display's time of the refresh that drew it, in milliseconds, below [`CYCLE_MS`].
    pub ms: u32,
    /// Chance, drawn once by each page that shows a slate: tells two displays, and a page that was opened anew, apart.
    pub session: u8,
}

impl Word {
    /// The modules of field `field`, the first one in the highest bit; 1 is black.
    pub fn bits(self, field: usize) -> u64 {
        let (ms, session) = (u64::from(self.ms) & 0xff_ffff, u64::from(self.session));
        ((ms << 24) | (session << 16) | u64::from(self.sum(field))) ^ MASK
    }

    /// Reads the modules of field `field`; `None` when the checksum does not agree.
    pub fn read(bits: u64, field: usize) -> Option<Self> {
        let plain = bits ^ MASK;
        let word = Self { ms: (plain >> 24 & 0xff_ffff) as u32, session: (plain >> 16 & 0xff) as u8 };
        (word.bits(field) == bits).then_some(word)
    }

    /// CRC-16 of CCITT (polynomial 0x1021, begun with 0xffff) over the field's number, session and time. With the number,
    /// a field that is read in another's place is refused.
    fn sum(self, field: usize) -> u16 {
        let [_, a, b, c] = self.ms.to_be_bytes();
        [field as u8, self.session, a, b, c].into_iter().fold(0xffff, |sum, byte| {
            (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| if sum >> 15 == 1 { sum << 1 ^ 0x1021 } else { sum << 1 })
        })
    }
}

/// The modules `[x, y]` of a field in the order of its bits: row by row, without the corner that the mark has.
pub fn field(field: usize) -> impl Iterator<Item = [usize; 2]> {
    let half = SIDE / 2;
    // Clockwise from the upper left.
    let (right, low) = (matches!(field, 1 | 2), matches!(field, 2 | 3));
    let begin = move |far: bool| if far { half } else { 0 };
    let in_corner = |far: bool, at: usize| if far { at >= SIDE - CORNER } else { at < CORNER };
    (begin(low)..begin(low) + half)
        .flat_map(move |y| (begin(right)..begin(right) + half).map(move |x| [x, y]))
        .filter(move |[x, y]| !(in_corner(right, *x) && in_corner(low, *y)))
}

/// The modules of the four corners, where nothing ever changes: corner, module, whether it is black.
pub fn corners() -> impl Iterator<Item = (usize, [usize; 2], bool)> {
    let far = |corner: usize| (matches!(corner, 1 | 2), matches!(corner, 2 | 3));
    (0..4).flat_map(move |corner| {
        let (right, low) = far(corner);
        let place = move |far: bool, i: usize| if far { SIDE - 1 - i } else { i };
        (0..CORNER * CORNER).map(move |i| {
            let (i, j) = (i % CORNER, i / CORNER);
            let middle = corner == 0 && (i, j) == (1, 1);
            (corner, [place(right, i), place(low, j)], i < MARK && j < MARK && !middle)
        })
    })
}

/// The table as the page has it, `controller/assets/slatetable.js`.
pub fn script() -> String {
    let number = |[x, y]: [usize; 2]| (y * SIDE + x).to_string();
    let mut out = String::from(
        "// Where the modules of the slate's code lie. Made by slate/src/layout.rs; a test there compares.\n\n",
    );
    out += "/** A module is a number: 16 * row + column, in 16 rows from the top. */\n";
    let _ =
        writeln!(out, "export const side = {SIDE};\nexport const margin = {MARGIN};\nexport const cycle = {CYCLE_MS};");
    let mask: String = (0..BITS).rev().map(|i| if MASK >> i & 1 == 1 { '1' } else { '0' }).collect();
    let _ = writeln!(out, "/** Turned over in each field. */\nexport const mask = \"{mask}\";");
    let black: Vec<_> = corners().filter(|(_, _, black)| *black).map(|(_, at, _)| number(at)).collect();
    let _ = writeln!(out, "/** Always black: the marks. */\nexport const marks = [{}];", black.join(", "));
    out += "/** The modules of each field in the order of its bits: 24 of time, 8 of session, 16 of checksum. */\n";
    out += "export const fields = [\n";
    for n in 0..FIELDS {
        let modules: Vec<_> = field(n).map(number).collect();
        let lines: Vec<_> = modules.chunks(16).map(|line| format!("    {},\n", line.join(", "))).collect();
        let _ = writeln!(out, "  [\n{}  ],", lines.concat());
    }
    out + "];\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_page_draws_by_this_table() {
        let asset = concat!(env!("CARGO_MANIFEST_DIR"), "/../controller/assets/slatetable.js");
        if std::env::var_os("SYNCSLATE_WRITE").is_some() {
            std::fs::write(asset, script()).unwrap();
        }
        assert!(std::fs::read_to_string(asset).unwrap() == script(), "SYNCSLATE_WRITE=1 writes {asset} anew");
    }

    #[test]
    fn every_module_says_one_thing() {
        let fields: Vec<_> = (0..FIELDS).flat_map(field).collect();
        assert_eq!(fields.len(), FIELDS * BITS);
        let all: BTreeSet<_> = fields.into_iter().chain(corners().map(|(_, at, _)| at)).collect();
        assert_eq!(all.len(), SIDE * SIDE);
        assert_eq!(corners().filter(|(_, _, black)| *black).count(), 4 * MARK * MARK - 1);
    }

    #[test]
    fn neither_white_nor_black_is_a_word() {
        for field in 0..FIELDS {
            assert_eq!((Word::read(0, field), Word::read((1 << BITS) - 1, field)), (None, None));
        }
    }

    proptest! {
        #[test]
        fn words_survive_and_only_in_their_own_field(ms in 0u32..1 << 24, session in any::<u8>(), n in 0..FIELDS) {
            let word = Word { ms, session };
            prop_assert_eq!(Word::read(word.bits(n), n), Some(word));
            prop_assert_eq!(Word::read(word.bits(n), (n + 1) % FIELDS), None);
        }

        #[test]
        fn up_to_three_wrong_modules_are_always_noticed(ms in 0u32..1 << 24, wrong in proptest::collection::btree_set(0..BITS, 1..4)) {
            let flips = wrong.iter().fold(0_u64, |bits, bit| bits | 1 << bit);
            prop_assert_eq!(Word::read(Word { ms, session: 9 }.bits(1) ^ flips, 1), None);
        }

        #[test]
        fn modules_are_neither_all_black_nor_all_white(ms in 0u32..1 << 24, session in any::<u8>(), n in 0..FIELDS) {
            let black = Word { ms, session }.bits(n).count_ones();
            prop_assert!((6..43).contains(&black), "{black}");
        }
    }
}
