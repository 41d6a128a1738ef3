//! All growths in one picture.

use std::fmt::Write as _;

use crate::Growth;

/// All figures in one picture, both axes logarithmic.
pub(crate) fn plot(all: &[Growth]) -> String {
    const COLOURS: [&str; 8] = ["#0b6", "#06c", "#c60", "#808", "#888", "#000", "#c06", "#660"];
    let points = || all.iter().flat_map(|growth| &growth.points);
    let span = |of: fn(&(f64, f64)) -> f64| {
        let values = || points().map(|point| of(point).max(0.01).log10());
        (values().fold(f64::MAX, f64::min).floor(), values().fold(f64::MIN, f64::max).ceil())
    };
    let ((left, right), (low, high)) = (span(|point| point.0), span(|point| point.1));
    let x = |n: f64| 70.0 + (n.log10() - left) / (right - left).max(1.0) * 500.0;
    let y = |ms: f64| 330.0 - (ms.max(0.01).log10() - low) / (high - low).max(1.0) * 300.0;
    let mut svg = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 370" font-family="sans-serif" font-size="12">
<rect width="860" height="370" fill="#fff"/>
"##,
    );
    for ten in left as i32..=right as i32 {
        let (at, n) = (x(10f64.powi(ten)), 10f64.powi(ten));
        let _ = writeln!(
            svg,
            r##"<path d="M{at:.0} 30V330" stroke="#ddd"/><text x="{at:.0}" y="350" text-anchor="middle">{n}</text>"##
        );
    }
    for ten in low as i32..=high as i32 {
        let (at, ms) = (y(10f64.powi(ten)), 10f64.powi(ten));
        let _ = writeln!(
            svg,
            r##"<path d="M70 {at:.0}H570" stroke="#ddd"/><text x="62" y="{at:.0}" text-anchor="end">{ms} ms</text>"##
        );
    }
    for (n, (Growth { name, points }, colour)) in all.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let line: Vec<String> = points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let _ =
            writeln!(svg, r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#, line.join(" "));
        let at = 50 + 20 * n;
        let _ = writeln!(svg, r#"<text x="590" y="{at}" fill="{colour}">{name}</text>"#);
    }
    svg + "</svg>\n"
}
