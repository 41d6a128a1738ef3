//! The lease of live pictures: what stands on `cmd/preview`, and within which bounds it is granted. Pure.
//!
//! Nobody sends pictures unasked. Whoever looks publishes a lease and renews it while he looks; it ends by itself, so a
//! page that is closed or a network that breaks costs no picture more than was asked for.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol;

/// Pictures a second that a lease may ask for. Pictures are made of the key frames, of which there are two a second.
pub const FPS: [f64; 2] = [0.1, 5.0];
/// Seconds that a lease may last.
pub const FOR_S: [f64; 2] = [1.0, 60.0];
/// Pixels: how wide a picture is when the lease does not say.
pub const USUAL_WIDTH: u32 = 480;
/// Pixels: no picture is scaled to less.
pub const MIN_WIDTH: u32 = 64;
/// The largest picture that is sent, in bytes: a 4K picture has about a third of it.
pub const MAX_PICTURE: usize = 4 * 1024 * 1024;

/// `cmd/preview` as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaseMessage {
    /// Whose pictures are wished; null for all nodes'.
    #[serde(default)]
    pub nodes: Option<Vec<Ipv4Addr>>,
    /// Pictures a second, above 0; what lies beyond [`FPS`] is moved to its end.
    pub fps: f64,
    /// For how many seconds, above 0; what lies beyond [`FOR_S`] is moved to its end.
    pub for_s: f64,
    /// At most so many pixels wide; null for [`USUAL_WIDTH`], 0 or more than the camera's for its own width.
    #[serde(default)]
    pub width: Option<u32>,
}

/// How wide pictures are to be; the order is that of their size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// At most so many pixels, never more than the camera's.
    AtMost(u32),
    /// The camera's own.
    Native,
}

/// A lease that was read, within its bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// Whose pictures; `None` for all nodes'.
    pub nodes: Option<Vec<Ipv4Addr>>,
    /// The time between two pictures.
    pub period: Duration,
    /// For how long.
    pub lasts: Duration,
    /// How wide.
    pub width: Width,
}

impl Width {
    /// What [`LeaseMessage::width`] means.
    pub fn of(pixels: Option<u32>) -> Self {
        match pixels {
            None => Self::AtMost(USUAL_WIDTH),
            Some(0) => Self::Native,
            Some(pixels) => Self::AtMost(pixels.max(MIN_WIDTH)),
        }
    }

    /// The same as it stands on the wire.
    pub fn pixels(self) -> u32 {
        match self {
            Self::AtMost(pixels) => pixels,
            Self::Native => 0,
        }
    }
}

impl Lease {
    /// Reads a payload of `cmd/preview`.
    ///
    /// # Errors
    /// What is wrong and at which field.
    pub fn read(payload: &[u8]) -> Result<Self, String> {
        let LeaseMessage { nodes, fps, for_s, width } = protocol::read(payload)?;
        let within = |name: &str, value: f64, [least, most]: [f64; 2]| {
            let sound = value.is_finite() && value > 0.0;
            if sound { Ok(value.clamp(least, most)) } else { Err(format!("field `{name}`: {value} is not above 0")) }
        };
        let (fps, for_s) = (within("fps", fps, FPS)?, within("for_s", for_s, FOR_S)?);
        Ok(Self {
            nodes,
            period: Duration::from_secs_f64(1.0 / fps),
            lasts: Duration::from_secs_f64(for_s),
            width: Width::of(width),
        })
    }

    /// Whether it is for this node.
    pub fn is_for(&self, ip: Ipv4Addr) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.contains(&ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_moved_into_its_bounds() {
        let read = |text: &str| Lease::read(text.as_bytes()).unwrap();
        let lease = read(r#"{"nodes":null,"fps":2,"for_s":10}"#);
        assert_eq!((lease.period, lease.lasts), (Duration::from_millis(500), Duration::from_secs(10)));
        assert_eq!((lease.width, lease.is_for([10, 0, 0, 7].into())), (Width::AtMost(480), true));
        let lease = read(r#"{"nodes":["10.0.0.7"],"fps":240,"for_s":86400,"width":0,"later":1}"#);
        assert_eq!((lease.period, lease.lasts), (Duration::from_millis(200), Duration::from_secs(60)));
        assert_eq!((lease.width, lease.is_for([10, 0, 0, 8].into())), (Width::Native, false));
        let lease = read(r#"{"fps":0.0001,"for_s":0.01,"width":1}"#);
        assert_eq!((lease.period, lease.lasts), (Duration::from_secs(10), Duration::from_secs(1)));
        assert_eq!(lease.width, Width::AtMost(64));
        assert!(Width::Native > Width::AtMost(u32::MAX));
    }

    #[test]
    fn what_cannot_be_a_lease_is_refused_by_its_field() {
        for (text, reason) in [
            (r#"{"nodes":null,"for_s":10}"#, "missing field `fps`"),
            (r#"{"fps":2}"#, "missing field `for_s`"),
            (r#"{"fps":0,"for_s":10}"#, "field `fps`: 0 is not above 0"),
            (r#"{"fps":2,"for_s":-1}"#, "field `for_s`: -1 is not above 0"),
            (r#"{"fps":"2","for_s":10}"#, "field `fps`"),
            (r#"{"nodes":["left"],"fps":2,"for_s":10}"#, "field `nodes[0]`"),
            (r#"{"nodes":[],"fps":2,"for_s":10,"width":-3}"#, "field `width`"),
            ("", "EOF"),
        ] {
            let error = Lease::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
