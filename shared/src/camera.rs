//! How a camera is set: what there is to set, which values are possible, what is wished, what a camera has. Pure.
//!
//! The terms are those of `rpicam-vid` and libcamera: `exposure_us` is its `--shutter`, `gain` its `--gain`, `awb` its
//! `--awb` and `--awbgains`, `focus` its `--lens-position`. A setting that is not wished is the camera's own affair: size,
//! rate and bit rate stand in the node's settings file, the others are automatic.

mod agree;
mod json;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::time::Wall;

/// Something that can be set, in the order in which people look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Picture width in pixels, even.
    Width,
    /// Picture height in pixels, even.
    Height,
    /// Frames a second.
    Fps,
    /// Bits a second of the encoder.
    Bitrate,
    /// How long each picture is exposed, in microseconds.
    ExposureUs,
    /// How much the sensor amplifies, 1 for not at all.
    Gain,
    /// White balance: the gains of red and blue against green, or the light that there is.
    Awb,
    /// Where the lens is focused, in dioptres: 1 divided by metres, 0 for infinity.
    Focus,
}

impl Key {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Width, Self::Height, Self::Fps, Self::Bitrate, Self::ExposureUs, Self::Gain, Self::Awb, Self::Focus];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Width => "width",
            Self::Height => "height",
            Self::Fps => "fps",
            Self::Bitrate => "bitrate",
            Self::ExposureUs => "exposure_us",
            Self::Gain => "gain",
            Self::Awb => "awb",
            Self::Focus => "focus",
        }
    }

    /// The setting of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == word)
    }

    /// What people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Width => "width",
            Self::Height => "height",
            Self::Fps => "frame rate",
            Self::Bitrate => "bit rate",
            Self::ExposureUs => "exposure",
            Self::Gain => "gain",
            Self::Awb => "white balance",
            Self::Focus => "focus",
        }
    }

    /// The values that any camera may have; a camera of its own has fewer, see [`Can`].
    ///
    /// Sizes, rates and bit rates are those of the node's settings file. An exposure is never longer than a second, as
    /// there is at least one frame in it. Gains go to 64, the most that sensors and libcamera's digital gain reach
    /// together. Colour gains and lens positions are libcamera's `ColourGains` and `LensPosition` for the Raspberry Pi
    /// (`src/ipa/rpi/common/ipa_base.cpp`): 0 to 32 both, but a colour gain of 0 stands for automatic in `rpicam-vid`.
    pub fn range(self) -> Range {
        let range = |from, to| Range { from: Milli::whole(from), to: Milli::whole(to) };
        match self {
            Self::Width | Self::Height => range(16, 8192),
            Self::Fps => range(1, 240),
            Self::Bitrate => range(10_000, 1_000_000_000),
            Self::ExposureUs => range(1, 1_000_000),
            Self::Gain => range(1, 64),
            Self::Awb => Range { from: Milli(1), to: Milli::whole(32) },
            Self::Focus => range(0, 32),
        }
    }

    /// Whether the camera finds a value by itself when none is wished.
    pub fn automatic(self) -> bool {
        matches!(self, Self::ExposureUs | Self::Gain | Self::Awb | Self::Focus)
    }

    /// A value of this setting for people, with its unit: `1/100 s (10000 µs)`.
    pub fn show(self, value: Value) -> String {
        let n = match value {
            Value::Number(n) => n,
            Value::Gains { red, blue } => return format!("red {red}, blue {blue}"),
            Value::Light(light) => return light.as_str().into(),
        };
        match self {
            Self::Width | Self::Height | Self::Gain | Self::Awb => n.to_string(),
            Self::Fps => format!("{n} fps"),
            Self::Bitrate if n >= Milli::whole(1_000_000) => format!("{} Mbit/s", Milli(n.0 / 1_000_000)),
            Self::Bitrate => format!("{} kbit/s", Milli(n.0 / 1_000)),
            Self::ExposureUs if n.0 > 0 => format!("1/{:.0} s ({n} µs)", 1e6 / n.f64()),
            Self::ExposureUs => format!("{n} µs"),
            Self::Focus => format!("{n} dioptres"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A number from 0 in thousandths: what is compared and written must not depend on rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Milli(pub u64);

impl Milli {
    /// A whole number.
    pub const fn whole(n: u64) -> Self {
        Self(n.saturating_mul(1000))
    }

    /// The nearest; `None` for what is negative, infinite or no number.
    pub fn near(n: f64) -> Option<Self> {
        let scaled = (n * 1000.0).round();
        (n >= 0.0 && scaled < 9e15).then_some(Self(scaled as u64))
    }

    /// As a floating point number.
    pub fn f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl fmt::Display for Milli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}", self.f64()) }
    }
}

/// A light that the white balance is set to: `rpicam-vid`'s `--awb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// Bulbs.
    Incandescent,
    /// Halogen lamps.
    Tungsten,
    /// Tubes.
    Fluorescent,
    /// Rooms.
    Indoor,
    /// The sun.
    Daylight,
    /// Clouds.
    Cloudy,
}

impl Light {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Incandescent, Self::Tungsten, Self::Fluorescent, Self::Indoor, Self::Daylight, Self::Cloudy];

    /// The word on the wire, which is `rpicam-vid`'s.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incandescent => "incandescent",
            Self::Tungsten => "tungsten",
            Self::Fluorescent => "fluorescent",
            Self::Indoor => "indoor",
            Self::Daylight => "daylight",
            Self::Cloudy => "cloudy",
        }
    }
}

/// What something is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, in the setting's unit.
    Number(Milli),
    /// Gains of red and blue.
    Gains {
        /// Of red.
        red: Milli,
        /// Of blue.
        blue: Milli,
    },
    /// A light.
    Light(Light),
}

impl Value {
    /// A number.
    pub fn number(n: f64) -> Option<Self> {
        Milli::near(n).map(Self::Number)
    }

    /// Its numbers: one, or both gains; a light has none.
    fn numbers(self) -> Vec<Milli> {
        match self {
            Self::Number(n) => vec![n],
            Self::Gains { red, blue } => vec![red, blue],
            Self::Light(_) => Vec::new(),
        }
    }
}

/// Values from one to another, both possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The smallest.
    pub from: Milli,
    /// The largest.
    pub to: Milli,
}

impl Range {
    /// Whether all numbers of `value` lie in it.
    pub fn holds(self, value: Value) -> bool {
        value.numbers().into_iter().all(|n| (self.from..=self.to).contains(&n))
    }
}

/// What a camera has to set, and from what to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Can(pub BTreeMap<Key, Range>);

impl Can {
    /// These settings in their widest ranges.
    pub fn widest(keys: &[Key]) -> Self {
        Self(keys.iter().map(|key| (*key, key.range())).collect())
    }

    /// Whether a camera has this to set.
    pub fn has(&self, key: Key) -> bool {
        self.0.contains_key(&key)
    }

    /// Why `value` is none for this camera.
    ///
    /// # Errors
    /// The setting's name, the value and the range.
    pub fn check(&self, key: Key, value: Value) -> Result<(), String> {
        let range = self.0.get(&key).ok_or_else(|| format!("`{key}`: this camera has no {} to set", key.words()))?;
        within(key, value, *range)
    }
}

/// What is wished of a camera, or what it has: what is missing is not wished, or not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(pub BTreeMap<Key, Value>);

impl Settings {
    /// A setting's value.
    pub fn get(&self, key: Key) -> Option<Value> {
        self.0.get(&key).copied()
    }

    /// A setting's number; `None` also when it is none.
    pub fn number(&self, key: Key) -> Option<f64> {
        match self.get(key)? {
            Value::Number(n) => Some(n.f64()),
            _ => None,
        }
    }

    /// Sets one, or takes it away.
    pub fn set(&mut self, key: Key, value: Option<Value>) {
        match value {
            Some(value) => self.0.insert(key, value),
            None => self.0.remove(&key),
        };
    }

    /// With these changes.
    #[must_use]
    pub fn changed(&self, changes: &Changes) -> Self {
        let mut settings = self.clone();
        changes.0.iter().for_each(|(key, value)| settings.set(*key, *value));
        settings
    }

    /// Why an exposure that is wished cannot be, at this frame rate if none is wished.
    ///
    /// # Errors
    /// It is longer than a frame.
    pub fn fits_rate(&self, fps: f64) -> Result<(), String> {
        let fps = self.number(Key::Fps).unwrap_or(fps);
        let longest = 1e6 / fps;
        match self.number(Key::ExposureUs) {
            Some(us) if us > longest.ceil() => {
                Err(format!("`exposure_us`: {us} µs are longer than a frame lasts at {fps} fps, {longest:.0} µs"))
            }
            _ => Ok(()),
        }
    }

    /// In words, `width 1280, height 720`.
    pub fn words(&self) -> String {
        let all: Vec<String> =
            self.0.iter().map(|(key, value)| format!("{} {}", key.words(), key.show(*value))).collect();
        all.join(", ")
    }
}

/// What is to be changed; `None` takes a wish away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub BTreeMap<Key, Option<Value>>);

impl Changes {
    /// Takes all wishes away.
    pub fn forget() -> Self {
        Self(Key::ALL.map(|key| (key, None)).into())
    }
}

impl From<Settings> for Changes {
    fn from(settings: Settings) -> Self {
        Self(settings.0.into_iter().map(|(key, value)| (key, Some(value))).collect())
    }
}

/// `camera/<ip>`: all that is wished of one node's camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraWishes {
    /// [`crate::protocol::VERSION`].
    pub v: u32,
    /// Whose camera.
    pub ip: Ipv4Addr,
    /// What is wished; what is missing is the camera's own affair.
    pub settings: Settings,
    /// When this was said.
    pub at: Wall,
}

fn within(key: Key, value: Value, range: Range) -> Result<(), String> {
    if !range.holds(value) {
        let Range { from, to } = range;
        return Err(format!("`{key}`: {} does not lie between {from} and {to}", plain(value)));
    }
    if matches!(key, Key::Width | Key::Height) && value.numbers().iter().any(|n| !n.0.is_multiple_of(2000)) {
        return Err(format!("`{key}`: {} is no even number of pixels", plain(value)));
    }
    let whole = matches!(key, Key::Bitrate | Key::ExposureUs);
    if whole && value.numbers().iter().any(|n| !n.0.is_multiple_of(1000)) {
        return Err(format!("`{key}`: {} is no whole number", plain(value)));
    }
    Ok(())
}

/// As somebody typed it.
fn plain(value: Value) -> String {
    match value {
        Value::Number(n) => n.to_string(),
        other => Key::Awb.show(other),
    }
}

#[cfg(test)]
mod tests;
