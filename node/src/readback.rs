//! What the camera has: told by itself, read from its stream, measured; and what of it can be set. Pure.

use syncslate_shared::camera::{Can, Key, Settings, Value};
use syncslate_shared::sps::picture_size;

use crate::camera::{CameraEvent, CameraFacts, CameraSettings, Kind, test};
use crate::ring::Ring;

/// What was told since the camera was started.
#[derive(Clone, Debug, Default)]
pub struct Readback(Settings);

impl Readback {
    /// Hears what the camera says.
    pub fn note(&mut self, event: &CameraEvent) {
        match event {
            CameraEvent::Set(set) => self.0.0.extend(set.0.clone()),
            CameraEvent::Unit(unit) if unit.key && self.0.get(Key::Width).is_none() => {
                let Some((width, height)) = picture_size(&unit.data) else { return };
                self.0.set(Key::Width, Value::number(f64::from(width)));
                self.0.set(Key::Height, Value::number(f64::from(height)));
            }
            CameraEvent::Starting => *self = Self::default(),
            _ => {}
        }
    }

    /// How much is known: it is said at once when there is more.
    pub fn known(&self) -> usize {
        self.0.0.len()
    }

    /// What the camera has now; `None` while it sends no pictures.
    pub fn actual(&self, camera: &CameraSettings, facts: Option<&CameraFacts>, ring: &Ring) -> Option<Settings> {
        if ring.held_s() <= 0.0 {
            return None;
        }
        let mut actual = self.0.clone();
        actual.set(Key::Fps, told_rate(camera.fps, ring.fps()));
        if has_bitrate(camera, facts) {
            actual.set(Key::Bitrate, Value::number(camera.bitrate.0 as f64));
        }
        if let Kind::Test(_) = camera.kind {
            actual.0.extend(test::simulated(camera).0);
        }
        Some(actual)
    }

    /// What can be set, of what the camera says it can.
    pub fn can(&self, said: &Can, camera: &CameraSettings, facts: Option<&CameraFacts>) -> Can {
        let mut can = said.clone();
        if !has_bitrate(camera, facts) {
            can.0.remove(&Key::Bitrate);
        }
        // Who tells where the lens is has one that moves.
        if self.0.get(Key::Focus).is_some() {
            can.0.entry(Key::Focus).or_insert(Key::Focus.range());
        }
        can
    }
}

/// A USB camera that encodes by itself does so at a rate of its own.
pub fn has_bitrate(camera: &CameraSettings, facts: Option<&CameraFacts>) -> bool {
    !(matches!(camera.kind, Kind::V4l2(_)) && facts.is_some_and(|facts| facts.encoder == "camera"))
}

/// The rate that is told for a camera: the one asked for when the pictures come within 1 % of it, so that a measurement
/// that trembles is never taken for a wish; else the measured one, to a hundredth. `None` before it is measured.
fn told_rate(asked: f64, measured: f64) -> Option<Value> {
    let near = (measured / asked - 1.0).abs() < 0.01;
    let rate = if near { asked } else { (measured * 100.0).round() / 100.0 };
    (measured > 0.0).then(|| Value::number(rate)).flatten()
}

#[cfg(test)]
mod tests {
    use syncslate_shared::manifest::StampSource;

    use super::*;
    use crate::camera::Steering;
    use crate::wishes::tests::camera;

    #[test]
    fn a_rate_is_told_as_it_was_asked_for_unless_it_is_another() {
        assert_eq!(told_rate(30.0, 29.83), Value::number(30.0));
        assert_eq!(told_rate(29.97, 30.02), Value::number(29.97));
        assert_eq!(told_rate(60.0, 41.666), Value::number(41.67));
        assert_eq!(told_rate(30.0, 0.0), None);
    }

    #[test]
    fn only_an_encoder_of_ours_has_a_bit_rate() {
        let facts = |encoder: &str| CameraFacts {
            model: None,
            encoder: encoder.into(),
            stamps: StampSource::Driver,
            steering: Steering::Free,
        };
        let (usb, pi) = (camera("v4l2"), camera("rpicam"));
        let can = |camera: &CameraSettings, encoder| {
            Readback::default().can(&Can::widest(&[Key::Bitrate]), camera, Some(&facts(encoder))).has(Key::Bitrate)
        };
        assert_eq!([can(&usb, "camera"), can(&usb, "libx264"), can(&pi, "camera")], [false, true, true]);
    }

    #[test]
    fn a_lens_that_is_told_of_can_be_moved() {
        let mut readback = Readback::default();
        let pi = camera("rpicam");
        assert!(!readback.can(&Can::default(), &pi, None).has(Key::Focus));
        let set = Settings([(Key::Focus, Value::number(0.5).unwrap())].into());
        readback.note(&CameraEvent::Set(set));
        assert!(readback.can(&Can::default(), &pi, None).has(Key::Focus));
        assert_eq!(readback.known(), 1);
        readback.note(&CameraEvent::Starting);
        assert_eq!(readback.known(), 0);
    }
}
