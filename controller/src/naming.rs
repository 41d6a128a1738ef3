//! The name that is proposed for the next take: the pattern of the last one is kept, its number goes up. Pure.

use syncslate_shared::take::TakeName;

/// A count has at most so many digits; more are a date or a serial number.
const DIGITS: usize = 6;
/// So many numbers are tried; a shoot does not leave that many of a pattern behind.
const TRIED: u64 = 10_000;

/// The next free name after `last`: `s12_t08` after `s12_t07`, in the same width. Of a name without a number at its end
/// there is no next one: `otherwise` is proposed, as before the first take.
pub fn next(last: Option<&TakeName>, free: impl Fn(&TakeName) -> bool, otherwise: TakeName) -> TakeName {
    let counted = last.and_then(|last| counted(last));
    let next = counted.and_then(|(stem, width, number)| {
        (number + 1..=number + TRIED)
            .filter_map(|n| TakeName::new(&format!("{stem}{n:0width$}")).ok())
            .find(|name| free(name))
    });
    next.unwrap_or(otherwise)
}

/// A name's stem, the width of the number at its end, and that number.
fn counted(name: &TakeName) -> Option<(&str, usize, u64)> {
    let name = name.as_str();
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &name[stem.len()..];
    (1..=DIGITS).contains(&digits.len()).then(|| Some((stem, digits.len(), digits.parse().ok()?)))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> TakeName {
        TakeName::new(text).unwrap()
    }

    #[test]
    fn the_pattern_is_kept_and_the_number_goes_up() {
        let long = format!("{}9", "x".repeat(63));
        let table = [
            ("windy_003", "", "windy_004"),
            ("s12_t07", "", "s12_t08"),
            ("scene4_t07", "scene4_t08", "scene4_t09"),
            ("A99", "", "A100"),
            ("t009", "t010 t011", "t012"),
            ("7", "", "8"),
            ("windy", "", "take_041"),
            ("windy_003b", "", "take_041"),
            ("20251023140210", "", "take_041"),
            (&long, "", "take_041"),
        ];
        for (last, used, expected) in table {
            let free = |name: &TakeName| !used.split(' ').any(|used| used == name.as_str());
            assert_eq!(next(Some(&name(last)), free, name("take_041")), name(expected), "{last}");
        }
        assert_eq!(next(None, |_| true, name("take_001")), name("take_001"));
        assert_eq!(next(Some(&name("A1")), |_| false, name("take_001")), name("take_001"));
    }

    proptest! {
        #[test]
        fn a_name_in_use_is_never_proposed(stem in "[A-Za-z][A-Za-z_.-]{0,8}", last in 0u32..1200, used in prop::collection::btree_set(0u32..1200, 0..300)) {
            let of = |n: u32| name(&format!("{stem}{n:03}"));
            let used: Vec<_> = used.into_iter().chain([last]).map(of).collect();
            let proposed = next(Some(&of(last)), |name| !used.contains(name), name("none"));
            prop_assert!(!used.contains(&proposed) && proposed.as_str().starts_with(&stem));
        }
    }
}
