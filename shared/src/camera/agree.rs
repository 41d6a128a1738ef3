//! Whether a camera has what was wished of it: sensors count in lines and steps of their own. Pure.

use super::{Key, Milli, Settings, Value};

impl Key {
    /// Whether two values of this setting are the same as far as a camera can tell them apart: an exposure is a whole
    /// number of the sensor's lines (up to 40 µs each), a gain one of its steps, a lens moves in steps too.
    pub fn agrees(self, one: Value, other: Value) -> bool {
        let near = |one: Milli, other: Milli| {
            let (one, other) = (one.f64(), other.f64());
            let apart = (one - other).abs();
            match self {
                Self::Width | Self::Height | Self::Bitrate => one == other,
                Self::Fps => apart < 0.006,
                Self::ExposureUs => apart <= 40.0_f64.max(one.max(other) * 0.02),
                Self::Gain => apart <= one.max(other) * 0.03,
                Self::Awb => apart <= 0.01,
                Self::Focus => apart <= 0.1,
            }
        };
        match (one, other) {
            (Value::Number(one), Value::Number(other)) => near(one, other),
            (Value::Gains { red, blue }, Value::Gains { red: r, blue: b }) => near(red, r) && near(blue, b),
            (Value::Light(one), Value::Light(other)) => one == other,
            // A camera tells its gains, never the light that they are for.
            (Value::Light(_), Value::Gains { .. }) | (Value::Gains { .. }, Value::Light(_)) => true,
            _ => false,
        }
    }
}

impl Settings {
    /// Which of these wishes `actual` does not have, with what it has; what it does not tell cannot differ.
    pub fn missed(&self, actual: &Self) -> Vec<(Key, Value, Value)> {
        let missed = |(key, wished): (&Key, &Value)| {
            let has = actual.get(*key)?;
            (!key.agrees(*wished, has)).then_some((*key, *wished, has))
        };
        self.0.iter().filter_map(missed).collect()
    }
}
