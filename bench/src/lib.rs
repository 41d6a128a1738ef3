//! What brokers cost, measured from outside: a client that costs little itself, the brokers as processes, and the loads.

pub mod client;
pub mod load;
pub mod parts;
pub mod server;

/// What may go wrong while measuring; it is printed and ends the program.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Now, of the clock that never jumps.
#[expect(clippy::disallowed_methods, reason = "a program for measuring, there is nothing to simulate")]
pub fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// The middle one, or the mean of the two in the middle. 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(a), Some(b)) if values.len().is_multiple_of(2) => (a + b) / 2.0,
        (_, Some(b)) => *b,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn medians() {
        assert_eq!(super::median(vec![]), 0.0);
        assert_eq!(super::median(vec![7.0]), 7.0);
        assert_eq!(super::median(vec![9.0, 1.0, 4.0]), 4.0);
        assert_eq!(super::median(vec![9.0, 1.0, 4.0, 6.0]), 5.0);
    }
}
