//! What most of many statements agree on (K. Marzullo's intersection, as NTP chooses among clocks). Pure.

/// Statements that lie within this share of the most are counted as agreeing, so that one frame's noise does not make the
/// answer look more exact than it is.
const NEARLY_ALL: f64 = 0.95;

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Where nearly the most statements hold: from here …
    pub from: f64,
    /// … to here.
    pub to: f64,
    /// The largest number of statements that hold at once.
    pub agree: usize,
}

/// Where most of the intervals `(from, to)` overlap; `None` without a proper one.
///
/// A wrong interval costs one vote and moves nothing, as long as the true ones are more.
pub fn overlap(intervals: &[(f64, f64)]) -> Option<Overlap> {
    let proper = intervals.iter().filter(|(from, to)| from.is_finite() && to.is_finite() && from < to);
    let mut ends: Vec<(f64, i32)> = proper.flat_map(|(from, to)| [(*from, 1), (*to, -1)]).collect();
    // Intervals that only touch do not overlap.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut count = 0;
    let counts: Vec<(f64, i32)> = ends
        .into_iter()
        .map(|(at, step)| {
            count += step;
            (at, count)
        })
        .collect();
    let (best, most) =
        counts.iter().enumerate().map(|(i, (_, count))| (i, *count)).reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    let enough = f64::from(most) * NEARLY_ALL;
    let good = |count: &i32| f64::from(*count) >= enough;
    let first =
        (0..best).rev().take_while(|i| counts.get(*i).is_some_and(|(_, count)| good(count))).last().unwrap_or(best);
    let last = counts.iter().skip(best).find(|(_, count)| !good(count))?;
    Some(Overlap { from: counts.get(first)?.0, to: last.0, agree: usize::try_from(most).unwrap_or(0) })
}

/// The middle one of the values; the mean of the two middle ones of an even number.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let at = |i: usize| values.get(i).copied();
    if n % 2 == 1 { at(n / 2) } else { Some((at((n / 2).checked_sub(1)?)? + at(n / 2)?) / 2.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_most_agree() {
        let found = overlap(&[(0.0, 4.0), (1.0, 5.0), (2.0, 9.0), (-50.0, -40.0), (3.0, f64::NAN), (7.0, 6.0)]);
        assert_eq!(found, Some(Overlap { from: 2.0, to: 4.0, agree: 3 }));
        assert_eq!((overlap(&[]), overlap(&[(1.0, 1.0)])), (None, None));
        assert_eq!(overlap(&[(0.0, 1.0), (1.0, 2.0)]).map(|o| o.agree), Some(1));
    }

    #[test]
    fn one_that_is_a_little_off_does_not_make_it_narrower() {
        let mut all = vec![(0.0, 10.0); 60];
        all.push((9.5, 19.5));
        assert_eq!(overlap(&all), Some(Overlap { from: 0.0, to: 10.0, agree: 61 }));
    }

    #[test]
    fn medians_of_many_few_and_none() {
        assert_eq!((median([3.0, 1.0, 2.0]), median([4.0, 1.0]), median([])), (Some(2.0), Some(2.5), None));
    }

    proptest! {
        #[test]
        fn what_all_true_intervals_hold_is_found(
            truth in -1e5..1e5f64, widths in proptest::collection::vec((0.0..9.0f64, 0.0..9.0f64), 9..60), stray in 0usize..4,
        ) {
            let mut all: Vec<_> = widths.iter().map(|(a, b)| (truth - a - 0.1, truth + b + 0.1)).collect();
            all.extend((0..stray).map(|i| (truth + 1000.0 + i as f64 * 30.0, truth + 1020.0 + i as f64 * 30.0)));
            let found = overlap(&all).unwrap();
            prop_assert!(found.from <= truth && truth <= found.to && found.agree == widths.len());
        }
    }
}
