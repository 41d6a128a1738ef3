//! Settings files: TOML, unknown keys refused by name, read whole before anything is started.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::report::Failure;

/// Reads the settings file `path` into `T` (which has `#[serde(deny_unknown_fields)]`).
///
/// # Errors
/// Exit code 2: the file cannot be read, or the key or value that is wrong, with its line.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read the settings file {}: {e}", path.display())))?;
    toml::from_str(&text).map_err(|e| {
        Failure::usage(format!("the settings file {} is wrong: {}", path.display(), e.to_string().trim_end()))
            .hint("`--help` and the example settings in the guide name every key")
    })
}

/// Where a broker is reached: `host:port`, with `mqtts://` before it for TLS; the port is 1883 or, with TLS, 8883 when it
/// is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether it speaks TLS there.
    pub tls: bool,
}

impl BrokerAddress {
    /// One without TLS.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, tls: false }
    }
}

impl FromStr for BrokerAddress {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (text, tls) = match text.strip_prefix("mqtts://") {
            Some(rest) => (rest, true),
            None => (text.strip_prefix("mqtt://").unwrap_or(text), false),
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("`{port}` is no port"))?),
            None => (text, if tls { 8883 } else { 1883 }),
        };
        if host.is_empty() || host.contains(['/', ':', ' ']) {
            return Err(format!("`{text}` is no broker such as 192.168.1.10:1883"));
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts://" } else { "" };
        write!(f, "{scheme}{}:{}", self.host, self.port)
    }
}

impl<'de> Deserialize<'de> for BrokerAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Bits a second, written `8M`, `2500k` or `8000000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitrate(pub u64);

impl FromStr for Bitrate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = match text.as_bytes().last() {
            Some(b'k') => (&text[..text.len() - 1], 1_000),
            Some(b'M') => (&text[..text.len() - 1], 1_000_000),
            _ => (text, 1),
        };
        let rate = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
        rate.filter(|rate| (10_000..=1_000_000_000).contains(rate))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no bit rate between 10k and 1000M, such as 8M"))
    }
}

impl<'de> Deserialize<'de> for Bitrate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_have_units() {
        assert_eq!("8M".parse(), Ok(Bitrate(8_000_000)));
        assert_eq!("2500k".parse(), Ok(Bitrate(2_500_000)));
        for bad in ["", "M", "8m", "-8M", "1", "99999999999999999999M", "8 M", "µ"] {
            assert!(bad.parse::<Bitrate>().unwrap_err().contains("is no bit rate"), "{bad}");
        }
    }

    #[test]
    fn brokers_have_a_default_port() {
        let at = |text: &str| text.parse::<BrokerAddress>();
        assert_eq!(at("192.168.1.10").unwrap().to_string(), "192.168.1.10:1883");
        assert_eq!(at("mqtt://ctl:1884").unwrap().to_string(), "ctl:1884");
        assert_eq!(at("mqtts://ctl").unwrap().to_string(), "mqtts://ctl:8883");
        for bad in ["", ":1883", "a:b", "http://x", "a:70000", "mqtts://"] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }
}
