//! The options of `--camera test:…`: how the simulated camera behaves. Pure.

use std::fmt::Display;
use std::str::FromStr;

/// How the simulated camera behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `phase_ms`: exposures lie this long after wall-clock multiples of the frame period, 0 to 1000.
    pub phase_ms: f64,
    /// `ppm`: how much longer than nominal its frame period is, −1000 to 1000.
    pub ppm: f64,
    /// `latency_ms`: from exposure to delivery, 0 to 2000.
    pub latency_ms: f64,
    /// `start_ms`: from its start to the first exposure, 0 to 60000.
    pub start_ms: f64,
    /// `drop=30+31+90`: frames, by number from 0, that it loses.
    pub drop: Vec<u64>,
    /// `gap_at_s`: so long after the first exposure it falls silent; 0 to 86400.
    pub gap_at_s: f64,
    /// `gap_s`: for so long; 0, the default, for never.
    pub gap_s: f64,
    /// `patience_ms`: a frame that is later than this is dropped, 100 to 60000; a real driver's buffers would long have
    /// run over. More of it lets a machine that is busy with other things lose no frame.
    pub patience_ms: f64,
    /// `noise`: by how many of the 256 levels of luma its pixels are off at most, 0 to 100. Without it pictures are so
    /// plain that their encoder needs only part of its bit rate.
    pub noise: u8,
    /// `frames`: after so many exposures it ends; 0, the default, for never.
    pub frames: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // Not 0: exposures would lie on the grid of T0 itself, and fall before or after it by chance.
            phase_ms: 5.0,
            ppm: 0.0,
            latency_ms: 20.0,
            start_ms: 300.0,
            drop: Vec::new(),
            gap_at_s: 0.0,
            gap_s: 0.0,
            patience_ms: 1000.0,
            noise: 0,
            frames: 0,
        }
    }
}

impl FromStr for Options {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for word in text.split(',').filter(|_| !text.is_empty()) {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| format!("`{}` is no option of the test camera, such as ppm=-80", word.escape_debug()))?;
            match key {
                "phase_ms" => options.phase_ms = number(key, value, 0.0, 1000.0)?,
                "ppm" => options.ppm = number(key, value, -1000.0, 1000.0)?,
                "latency_ms" => options.latency_ms = number(key, value, 0.0, 2000.0)?,
                "start_ms" => options.start_ms = number(key, value, 0.0, 60_000.0)?,
                "drop" => options.drop = value.split('+').map(|n| count(key, n)).collect::<Result<_, _>>()?,
                "gap_at_s" => options.gap_at_s = number(key, value, 0.0, 86_400.0)?,
                "gap_s" => options.gap_s = number(key, value, 0.0, 86_400.0)?,
                "patience_ms" => options.patience_ms = number(key, value, 100.0, 60_000.0)?,
                "noise" => options.noise = number(key, value, 0, 100)?,
                "frames" => options.frames = count(key, value)?,
                _ => {
                    return Err(format!(
                        "the test camera knows no option `{}`: phase_ms, ppm, latency_ms, start_ms, drop, gap_at_s, \
                         gap_s, patience_ms, noise and frames are known",
                        key.escape_debug()
                    ));
                }
            }
        }
        Ok(options)
    }
}

fn number<N: FromStr + PartialOrd + Display + Copy>(key: &str, value: &str, min: N, max: N) -> Result<N, String> {
    let number = value.parse().ok().filter(|n| (min..=max).contains(n));
    number.ok_or_else(|| format!("{key}={} is no number from {min} to {max}", value.escape_debug()))
}

fn count(key: &str, value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("{key}={} is no frame number", value.escape_debug()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn options_are_read() {
        assert_eq!("".parse(), Ok(Options::default()));
        let all = "phase_ms=22.5,ppm=-80,latency_ms=0,start_ms=900,drop=7+11+13,gap_at_s=3,gap_s=0.4,patience_ms=900,noise=9,frames=600";
        let expected = Options {
            phase_ms: 22.5,
            ppm: -80.0,
            latency_ms: 0.0,
            start_ms: 900.0,
            drop: vec![7, 11, 13],
            gap_at_s: 3.0,
            gap_s: 0.4,
            patience_ms: 900.0,
            noise: 9,
            frames: 600,
        };
        assert_eq!(all.parse(), Ok(expected));
    }

    #[test]
    fn each_wrong_option_is_refused_by_name() {
        for (text, message) in [
            ("phase", "`phase` is no option of the test camera, such as ppm=-80"),
            ("ppm=1,", "`` is no option of the test camera, such as ppm=-80"),
            ("ppm=1001", "ppm=1001 is no number from -1000 to 1000"),
            ("ppm=NaN", "ppm=NaN is no number from -1000 to 1000"),
            ("latency_ms=-1", "latency_ms=-1 is no number from 0 to 2000"),
            ("phase_ms=a\n", "phase_ms=a\\n is no number from 0 to 1000"),
            ("drop=3+", "drop= is no frame number"),
            (
                "phase-ms=3",
                "the test camera knows no option `phase-ms`: phase_ms, ppm, latency_ms, start_ms, drop, gap_at_s, \
                 gap_s, patience_ms, noise and frames are known",
            ),
        ] {
            assert_eq!(text.parse::<Options>(), Err(message.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[a-z_=,+.0-9-]{0,40}|\\PC{0,40}") {
            let _ = text.parse::<Options>();
        }
    }
}
