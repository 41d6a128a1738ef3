//! Whether a take's films are too much for a browser that plays all of them at once. Pure.

/// What a decoder of level 4.2 is able to (ITU-T H.264, table A-1: 522 240 macroblocks of 256 pixels a second), as phones
/// have one: 1080p60 once, 720p30 four times.
const PIXELS_S: f64 = 522_240.0 * 256.0;
/// What a busy radio network brings to one device with some certainty.
const BITS_S: f64 = 25e6;

/// What one film asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// Width and height in pixels.
    pub size: (u16, u16),
    /// Frames a second.
    pub fps: f64,
    /// Bits a second.
    pub bits_s: f64,
}

/// Whether these are too much together.
pub fn heavy(films: &[Weight]) -> bool {
    let pixels: f64 = films.iter().map(|film| f64::from(film.size.0) * f64::from(film.size.1) * film.fps).sum();
    let bits: f64 = films.iter().map(|film| film.bits_s).sum();
    pixels > PIXELS_S || bits > BITS_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_pixels_or_many_bits_are_heavy() {
        let film = |size, fps, bits_s| Weight { size, fps, bits_s };
        assert!(!heavy(&[]));
        assert!(!heavy(&[film((1280, 720), 30.0, 4e6); 4]));
        assert!(heavy(&[film((1280, 720), 30.0, 4e6); 5]));
        assert!(heavy(&[film((1920, 1080), 30.0, 10e6); 3]));
        assert!(heavy(&[film((1920, 1080), 25.0, 25.1e6)]));
    }
}
