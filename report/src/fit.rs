//! A camera's true period by the wall clock: Theil and Sen's slope over medians of blocks, which a quarter of arbitrary
//! outliers cannot move. Pure.

use std::ops::Range;

use crate::table::Table;

/// About so many blocks a camera, however long the take is.
const BLOCKS: usize = 256;
/// A block has no fewer frames, unless its stretch has.
const SMALLEST: usize = 8;
/// Of a camera with more stretches the longest are used for the slope.
const STRETCHES: usize = 32;
/// A shorter stretch of time tells no drift.
const SHORTEST_US: f64 = 5e6;
/// Phases at both ends are taken from so many blocks.
const END: usize = 8;
/// From the median absolute deviation to the standard deviation of a normal distribution.
const MAD: f64 = 1.4826;

/// The middle of some frames that follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Periods since the first frame of the stretch.
    pub n: f64,
    /// The median of how much later than `n` periods the frames came, in µs.
    pub late: f64,
}

/// A stretch of unbroken time.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// Its first frame in µs since 1970.
    pub begin: i64,
    /// Its blocks; at least one.
    pub blocks: Vec<Block>,
    /// Periods from its first to its last frame.
    pub length: f64,
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The period in µs.
    pub period: f64,
    /// Two standard errors of it, in µs.
    pub error: f64,
}

/// The median of some values; zero for none.
pub fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| even);
    f64::midpoint(lower.unwrap_or(upper), upper)
}

/// A first idea of the period: the median over spans of some frames, so that neither jitter nor drops matter.
pub fn rough_period(table: &Table) -> Option<f64> {
    let span = (table.len() / 8).clamp(1, 32);
    let step = (table.len() / 4096).max(1);
    let ends = table.times.iter().zip(&table.numbers).skip(span).zip(table.times.iter().zip(&table.numbers));
    let mut periods: Vec<f64> = ends
        .step_by(step)
        .map(|((end, last), (begin, first))| (end - begin) as f64 / f64::from(last - first))
        .filter(|period| *period > 0.0)
        .collect();
    (!periods.is_empty()).then(|| median(&mut periods))
}

/// Divides stretches of rows into blocks.
pub fn blocks(table: &Table, periods: &[u32], stretches: &[Range<usize>], period: f64) -> Vec<Stretch> {
    let size = table.len().div_ceil(BLOCKS).max(SMALLEST);
    let mut late = Vec::with_capacity(size);
    let mut divide = |rows: &Range<usize>| {
        let (times, counts) = (table.times.get(rows.clone())?, periods.get(rows.clone())?);
        let (begin, length) = (*times.first()?, f64::from(*counts.last()?));
        let blocks = times
            .chunks(size)
            .zip(counts.chunks(size))
            .map(|(times, counts)| {
                late.clear();
                late.extend(times.iter().zip(counts).map(|(t, n)| (t - begin) as f64 - f64::from(*n) * period));
                let n = f64::midpoint(
                    counts.first().copied().unwrap_or_default().into(),
                    counts.last().copied().unwrap_or_default().into(),
                );
                Block { n, late: median(&mut late) }
            })
            .collect();
        Some(Stretch { begin, blocks, length })
    };
    stretches.iter().filter_map(&mut divide).collect()
}

/// The slope of all stretches together, each with its own beginning. `None` when there is too little of it.
pub fn fit(stretches: &[Stretch], period: f64) -> Option<Fit> {
    let mut longest: Vec<&Stretch> = stretches.iter().filter(|stretch| stretch.blocks.len() > 1).collect();
    longest.sort_by(|a, b| b.length.total_cmp(&a.length));
    longest.truncate(STRETCHES);
    let total: f64 = longest.iter().map(|stretch| stretch.length).sum();
    let blocks: usize = longest.iter().map(|stretch| stretch.blocks.len()).sum();
    if total * period < SHORTEST_US || blocks < 4 {
        return None;
    }
    let slope = slope(&longest)?;
    Some(Fit { period: period + slope, error: error(&longest, slope) })
}

/// The weighted median of the slopes of all pairs of blocks of one stretch, weighted by their distance.
fn slope(stretches: &[&Stretch]) -> Option<f64> {
    let mut slopes: Vec<(f64, f64)> = Vec::new();
    for stretch in stretches {
        for (i, a) in stretch.blocks.iter().enumerate() {
            let later = stretch.blocks.iter().skip(i + 1).filter(|b| b.n > a.n);
            slopes.extend(later.map(|b| ((b.late - a.late) / (b.n - a.n), b.n - a.n)));
        }
    }
    slopes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = slopes.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    slopes.iter().find_map(|(slope, weight)| {
        sum += weight;
        (sum >= half).then_some(*slope)
    })
}

/// Two standard errors of the slope. Residuals that follow each other are alike when the wall clock is steered, so they
/// count for fewer (first-order autocorrelation).
fn error(stretches: &[&Stretch], slope: f64) -> f64 {
    let mut rest = Vec::new();
    let (mut spread, mut products, mut squares) = (0.0, 0.0, 0.0);
    for stretch in stretches {
        let mut residuals: Vec<f64> = stretch.blocks.iter().map(|block| block.late - slope * block.n).collect();
        let middle = median(&mut residuals.clone());
        residuals.iter_mut().for_each(|residual| *residual -= middle);
        let mean = stretch.blocks.iter().map(|block| block.n).sum::<f64>() / stretch.blocks.len() as f64;
        spread += stretch.blocks.iter().map(|block| (block.n - mean).powi(2)).sum::<f64>();
        products += residuals.windows(2).map(|w| w.iter().product::<f64>()).sum::<f64>();
        squares += residuals.iter().map(|residual| residual * residual).sum::<f64>();
        rest.extend(residuals.iter().map(|residual| residual.abs()));
    }
    let alike = if squares > 0.0 { (products / squares).clamp(0.0, 0.98) } else { 0.0 };
    // Stamps are whole microseconds, so nothing is known better than their rounding.
    let deviation = (median(&mut rest) * MAD).max(0.3);
    2.0 * deviation / spread.max(1.0).sqrt() * ((1.0 + alike) / (1.0 - alike)).sqrt()
}

impl Stretch {
    /// How much later than whole periods of the fitted length its first frame lies, freed of jitter, in µs.
    pub fn at_begin(&self, slope: f64) -> f64 {
        let mut late: Vec<f64> = self.blocks.iter().take(END).map(|block| block.late - slope * block.n).collect();
        median(&mut late)
    }

    /// The same of its last frame, against `length` periods before the fit.
    pub fn at_end(&self, slope: f64) -> f64 {
        let last = self.blocks.iter().rev().take(END);
        let mut late: Vec<f64> = last.map(|block| block.late + slope * (self.length - block.n)).collect();
        median(&mut late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median(&mut []), 0.0);
        assert_eq!(median(&mut [7.0]), 7.0);
        assert_eq!(median(&mut [9.0, 1.0]), 5.0);
        assert_eq!(median(&mut [9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 9.0, 1.0, 2.0]), 3.0);
    }

    #[test]
    fn outliers_do_not_move_the_slope() {
        let late = |n: f64| 0.004 * n + if (n as i64) % 5 == 0 { 9_000.0 } else { 0.0 };
        let blocks = (0..200).map(|i| Block { n: f64::from(i), late: late(f64::from(i)) }).collect();
        let stretch = Stretch { begin: 0, blocks, length: 199.0 };
        let fit = fit(&[stretch], 33_333.0).unwrap();
        assert!((fit.period - 33_333.004).abs() < 1e-3, "{fit:?}");
    }

    #[test]
    fn too_little_tells_nothing() {
        let short = Stretch { begin: 0, blocks: vec![Block { n: 4.0, late: 0.0 }; 3], length: 30.0 };
        assert_eq!(fit(&[short], 33_333.0), None);
        assert_eq!(fit(&[], 33_333.0), None);
    }
}
