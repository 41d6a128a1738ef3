//! Figures in words. Pure.

/// Milliseconds with a unit, as fine as it matters: `0.34 ms`, `11.2 ms`, `2.03 s`.
pub(crate) fn ms(us: f64) -> String {
    let ms = us.abs() / 1000.0;
    let text = if ms >= 1000.0 {
        format!("{:.2} s", ms / 1000.0)
    } else if ms >= 10.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.2} ms")
    };
    let zero = !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if us < 0.0 && !zero { format!("−{text}") } else { text }
}

/// The same with a sign always.
pub(crate) fn signed_ms(us: f64) -> String {
    let text = ms(us);
    let zero = !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if us > 0.0 && !zero { format!("+{text}") } else { text }
}

/// Parts per million with a sign.
pub(crate) fn ppm(ppm: f64) -> String {
    let text = format!("{:.1}", ppm.abs());
    match text.as_str() {
        "0.0" => "0.0 ppm".into(),
        _ if ppm < 0.0 => format!("−{text} ppm"),
        _ => format!("+{text} ppm"),
    }
}

/// Time since T0: `00:01:23.456`.
pub(crate) fn take_time(us: i64) -> String {
    let sign = if us < 0 { "−" } else { "" };
    let ms = us.unsigned_abs() / 1000;
    let s = ms / 1000;
    format!("{sign}{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms % 1000)
}

/// `1 frame`, `7 frames`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// A number that people can read: `1 296 000`, with narrow spaces.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Names as a list: `a`, `a and b`, `a, b and c`.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A cause of the manifest for people.
pub(crate) fn cause(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_fine_as_they_matter() {
        assert_eq!((ms(342.0), ms(-11_210.0), ms(2_030_000.0)), ("0.34 ms".into(), "−11.2 ms".into(), "2.03 s".into()));
        assert_eq!(
            (ms(-2.0), signed_ms(3.0), signed_ms(7_000.0)),
            ("0.00 ms".into(), "0.00 ms".into(), "+7.00 ms".into())
        );
        assert_eq!((ppm(-80.04), ppm(0.01), ppm(120.0)), ("−80.0 ppm".into(), "0.0 ppm".into(), "+120.0 ppm".into()));
        assert_eq!((take_time(83_456_789), take_time(-7_000)), ("00:01:23.456".into(), "−00:00:00.007".into()));
        assert_eq!((grouped(1_296_000), grouped(5400)), ("1\u{202f}296\u{202f}000".into(), "5400".into()));
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
