//! What grows with what: a START with the number of nodes, the list of takes with the number of takes in the library, a MARK
//! with the number of marks, a recording and its report with the length of the take, each as a table with the exponent of
//! its growth, 1 for linear.
//! `bench-growth [MOST TAKES] [MOST MARKS] [MOST MINUTES] [MOST NODES] [FILE.svg]`: 10000, 5000, 600 and 300, and no plot.

#![expect(clippy::print_stdout, reason = "it prints its tables")]
#![expect(clippy::unwrap_used, reason = "without what it needs there is nothing to measure")]

mod orders;
mod plot;
mod recording;
mod takes;

use syncslate_e2e::figures::median;
use syncslate_e2e::process::now;
use syncslate_shared::time::Wall;

const T0: Wall = Wall::from_micros(1_761_220_930_500_000);
/// Each figure is the median of so many looks.
const LOOKS: usize = 9;

/// How one figure grows.
struct Growth {
    name: &'static str,
    /// What grows, and the figure in milliseconds.
    points: Vec<(f64, f64)>,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let mut number = |usual: u64| words.next().map_or(usual, |word| word.parse().unwrap());
    let (takes, marks, minutes, nodes) = (number(10_000), number(5_000), number(600), number(300));
    // First, while this process has used no memory for anything else.
    let mut all = recording::recordings(minutes);
    all.push(takes::reports(minutes));
    all.extend(takes::library(takes));
    all.extend([orders::marking(marks), orders::starting(nodes)]);
    println!("{:<44} {:>9}   growth between neighbours", "", "exponent");
    for Growth { name, points } in all.iter().filter(|growth| growth.points.len() > 1) {
        let steps: Vec<String> = points.windows(2).map(|pair| format!("{:.2}", exponent(pair[0], pair[1]))).collect();
        println!("{name:<44} {:>9.2}   {}", exponent(points[0], points[points.len() - 1]), steps.join(" "));
    }
    if let Some(file) = words.next() {
        std::fs::write(&file, plot::plot(&all)).unwrap();
        println!("{file}: each figure against what grows, both logarithmic");
    }
}

/// The steps to `most`, by tens, at most four.
fn steps(most: u64) -> Vec<u64> {
    let mut steps: Vec<u64> =
        std::iter::successors(Some(most), |n| (*n > 1).then(|| (*n / 10).max(1))).take(4).collect();
    steps.reverse();
    steps
}

fn exponent((n, ms): (f64, f64), (more, longer): (f64, f64)) -> f64 {
    (longer / ms).ln() / (more / n).ln()
}

/// The median time of a look in milliseconds, and what the last one gave.
fn time(mut look: impl FnMut() -> usize) -> (f64, usize) {
    let (mut times, mut last) = (Vec::new(), 0);
    for _ in 0..LOOKS {
        let started = now();
        last = look();
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    (median(&times), last)
}
