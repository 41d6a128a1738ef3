//! The test camera's picture in I420: the blocks of [`super::code`] on top, below them what people read: the node's
//! name, the clock, the frame number, the date where there is room, and a bar that crosses the picture once a second.
//! Pure.
//!
//! The bar's place is a function of the time alone: cameras in step show it at the same place, and a person sees a
//! camera that is a frame late. The background is drawn once; a frame draws only the blocks, the characters that
//! changed and the bar's old and new place, which costs far less than writing the picture to a pipe.

use std::net::Ipv4Addr;
use std::ops::Range;

use syncslate_shared::time::Wall;

use super::code::{Code, Layout};
use super::text::{DOTS, Ink, Line};

const INK: Ink = Ink { letters: 225, paper: 32 };
const BAR: u8 = 235;
const BLACK: u8 = 16;
/// 2^32 divided by the golden ratio: its multiples are scattered evenly (Knuth, The Art of Computer Programming 3, 6.4).
const SCATTER: u32 = 2_654_435_769;
/// 100 % colour bars at three quarters of their strength, as (Y, U, V): grey, yellow, cyan, green, magenta, red, blue.
const COLOURS: [(u8, u8, u8); 7] =
    [(180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212), (35, 212, 114)];

/// Draws one picture after the other.
#[derive(Clone, Debug)]
pub struct Painter {
    size: Size,
    layout: Layout,
    ip: Ipv4Addr,
    /// The picture as it was drawn last: three planes, one after the other.
    frame: Vec<u8>,
    clock: Line,
    number: Line,
    date: Line,
    sweep: Sweep,
    /// The rows of the colour bars.
    bars: Range<usize>,
    noise: Option<Noise>,
}

/// What a sensor adds to every picture, and what makes an encoder need the bits that it may spend.
#[derive(Clone, Debug)]
struct Noise {
    /// Drawn once; each picture begins at another place of it.
    grain: Vec<i8>,
    /// The picture with its noise.
    frame: Vec<u8>,
}

/// The size of a picture in pixels.
#[derive(Clone, Copy, Debug)]
struct Size {
    width: usize,
    height: usize,
}

/// The strip that the bar sweeps over.
#[derive(Clone, Debug)]
struct Sweep {
    top: usize,
    bottom: usize,
    thickness: usize,
    /// The strip's first row without the bar; all rows are alike.
    empty: Vec<u8>,
}

impl Painter {
    /// A painter of pictures of this size; `None` when the size is odd or too small for the machine-readable blocks.
    pub fn new(width: u32, height: u32, name: &str, ip: Ipv4Addr) -> Option<Self> {
        let size = Size { width: usize::try_from(width).ok()?, height: usize::try_from(height).ok()? };
        if !size.width.is_multiple_of(2) || !size.height.is_multiple_of(2) {
            return None;
        }
        let layout = Layout::of(size.width, size.height)?;
        let free = size.height.checked_sub(layout.height()).filter(|&free| free >= 3 * DOTS)?;
        let strip = (free / 12).max(2);
        let sweep = Sweep::new(size, size.height - strip);
        // The smallest pictures have no room for both text and colour bars.
        let bars = if free < 6 * DOTS { 0 } else { strip };
        let rows = size.height - strip - bars..size.height - strip;
        let mut frame = background(size, rows.clone(), ip);
        let luma = &mut frame[..size.pixels()];
        sweep.clear(luma, size.width);

        // Three lines of text (clock, name, number with date), the clock twice as large as the others.
        let (margin, panel) = (size.width / 32, free - strip - bars);
        let scale = ((size.width - 2 * margin) / (12 * DOTS)).min(panel / (5 * DOTS)).max(1);
        let small = (scale / 2).max(1);
        let gap = panel.saturating_sub((scale + 2 * small) * DOTS) / 4;
        let y_name = layout.height() + gap;
        let y_clock = y_name + small * DOTS + gap;
        let y_number = y_clock + scale * DOTS + gap;
        let room = |scale: usize| (size.width - 2 * margin) / (DOTS * scale);
        Line::new(margin, y_name, small, room(small)).show(luma, size.width, name, INK);
        // The date stands at the right end of the number's line, when both have room.
        let (date, number) = (10, 14);
        let date_room = if room(small) > date + number { date } else { 0 };
        let x_date = (size.width - margin).saturating_sub(date * DOTS * small);
        Some(Self {
            size,
            layout,
            ip,
            frame,
            clock: Line::new(margin, y_clock, scale, room(scale)),
            number: Line::new(margin, y_number, small, room(small)),
            date: Line::new(x_date, y_number, small, date_room),
            sweep,
            bars: rows,
            noise: None,
        })
    }

    /// With noise in the luma of all that people read: each pixel of each picture is off by up to `levels`, 0 for none.
    pub fn noisy(mut self, levels: u8) -> Self {
        self.noise = (levels > 0).then(|| Noise::new(self.size.pixels(), levels, self.frame.clone()));
        self
    }

    /// With colour bars in so many times the light: what is too bright is white, as on a sensor.
    pub fn lit(mut self, light: f64) -> Self {
        let rows = self.bars.start * self.size.width..self.bars.end * self.size.width;
        for luma in &mut self.frame[rows] {
            *luma = (f64::from(BLACK) + (f64::from(*luma) - f64::from(BLACK)) * light).clamp(16.0, 235.0) as u8;
        }
        self
    }

    /// The picture of frame `counter`, exposed `time_ns` nanoseconds after 1970.
    pub fn paint(&mut self, time_ns: u64, counter: u32) -> &[u8] {
        let (luma, width) = (&mut self.frame[..self.size.pixels()], self.size.width);
        self.layout.write(&Code { time_ns, counter, ip: self.ip }, luma);
        let utc = Wall::from_micros(i64::try_from(time_ns / 1000).unwrap_or(i64::MAX)).utc();
        self.clock.show(luma, width, &utc.format("%H:%M:%S%.3f").to_string(), INK);
        self.number.show(luma, width, &format!("frame {counter:06}"), INK);
        self.date.show(luma, width, &utc.format("%Y-%m-%d").to_string(), INK);
        self.sweep.paint(luma, width, time_ns);
        match &mut self.noise {
            Some(noise) => {
                let coded = self.layout.height() * width;
                noise.add(&self.frame, coded..self.size.pixels(), counter)
            }
            None => &self.frame,
        }
    }
}

impl Noise {
    /// How far apart two pictures may begin in the grain.
    const SHIFT: usize = 1 << 16;

    fn new(pixels: usize, levels: u8, frame: Vec<u8>) -> Self {
        let (mut state, span) = (SCATTER, 2 * u32::from(levels) + 1);
        let grain = (0..pixels + Self::SHIFT).map(|_| {
            // Xorshift (Marsaglia 2003, triple 13, 17, 5): the same noise in each run.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            ((state >> 8) % span) as i8 - levels as i8
        });
        Self { grain: grain.collect(), frame }
    }

    /// The picture with noise in these pixels.
    fn add(&mut self, picture: &[u8], pixels: Range<usize>, counter: u32) -> &[u8] {
        self.frame.copy_from_slice(picture);
        let start = counter.wrapping_mul(SCATTER) as usize % Self::SHIFT;
        let grain = &self.grain[start..];
        for (luma, grain) in self.frame[pixels].iter_mut().zip(grain) {
            *luma = luma.saturating_add_signed(*grain);
        }
        &self.frame
    }
}

impl Size {
    fn pixels(self) -> usize {
        self.width * self.height
    }
}

impl Sweep {
    fn new(size: Size, top: usize) -> Self {
        // A tick every tenth of a second, so that the bar's place can be read as a time.
        let mut empty = vec![INK.paper + 16; size.width];
        for tenth in 0..10 {
            empty[tenth * size.width / 10..][..(size.width / 320).max(1)].fill(INK.letters / 2);
        }
        Self { top, bottom: size.height, thickness: (size.width / 80).max(2), empty }
    }

    fn clear(&self, luma: &mut [u8], width: usize) {
        luma[self.top * width..self.bottom * width]
            .chunks_exact_mut(width)
            .for_each(|row| row.copy_from_slice(&self.empty));
    }

    fn paint(&self, luma: &mut [u8], width: usize, time_ns: u64) {
        self.clear(luma, width);
        let into_second = (time_ns % 1_000_000_000) as f64 * 1e-9;
        let x = (into_second * width as f64) as usize;
        let end = (x + self.thickness).min(width);
        for row in luma[self.top * width..self.bottom * width].chunks_exact_mut(width) {
            row[x.min(end)..end].fill(BAR);
        }
    }
}

/// A dark, even panel that text stands on, tinted by the node's address so that cameras are told apart at a glance,
/// and colour bars in `bars`.
fn background(size: Size, bars: Range<usize>, ip: Ipv4Addr) -> Vec<u8> {
    let mut luma = vec![INK.paper; size.pixels()];
    let angle = f64::from(u32::from(ip).wrapping_mul(SCATTER) >> 8) / f64::from(1 << 24) * std::f64::consts::TAU;
    let tint = |part: f64| (128.0 + 18.0 * part) as u8;
    let (half_width, half_height) = (size.width / 2, size.height / 2);
    let mut u = vec![tint(angle.cos()); half_width * half_height];
    let mut v = vec![tint(angle.sin()); half_width * half_height];
    let colour = |x: usize, width: usize| COLOURS[x * COLOURS.len() / width];
    for row in luma[bars.start * size.width..bars.end * size.width].chunks_exact_mut(size.width) {
        row.iter_mut().enumerate().for_each(|(x, pixel)| *pixel = colour(x, size.width).0);
    }
    for y in bars.start / 2..bars.end / 2 {
        for x in 0..half_width {
            let (_, cu, cv) = colour(x, half_width);
            u[y * half_width + x] = cu;
            v[y * half_width + x] = cv;
        }
    }
    luma.append(&mut u);
    luma.append(&mut v);
    luma
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 101);
    /// 2025-10-23T12:02:10.5Z
    const NOON: u64 = 1_761_220_930_500_000_000;

    #[test]
    fn every_size_is_painted_or_refused() {
        for (w, h) in
            [(160, 90), (160, 120), (320, 240), (640, 360), (854, 480), (1280, 720), (1920, 1080), (482, 4000)]
        {
            let mut painter =
                Painter::new(w, h, "a name that is far too long for any picture, however wide", IP).unwrap();
            for n in 0..30 {
                let time_ns = NOON + n * 33_333_333;
                let frame = painter.paint(time_ns, n as u32);
                assert_eq!(frame.len(), (w * h * 3 / 2) as usize);
                let code = Layout::of(w as usize, h as usize).unwrap().read(frame);
                assert_eq!(code, Some(Code { time_ns, counter: n as u32, ip: IP }), "{w}x{h}");
            }
        }
        for (w, h) in [(0, 0), (2, 2), (160, 80), (641, 360), (640, 361)] {
            assert!(Painter::new(w, h, "x", IP).is_none(), "{w}x{h}");
        }
    }

    #[test]
    fn what_is_painted_depends_on_the_moment_alone() {
        let mut fresh = Painter::new(640, 360, "left", IP).unwrap();
        let mut used = fresh.clone();
        for n in 0..50 {
            used.paint(NOON - 987_654_321 * n, 77 * n as u32);
        }
        assert_eq!(fresh.paint(NOON, 4_711), used.paint(NOON, 4_711));
    }

    #[test]
    fn light_shows_in_the_colour_bars_and_nowhere_else() {
        let mut plain = Painter::new(640, 360, "left", IP).unwrap();
        let mut bright = plain.clone().lit(1.25);
        let bars = plain.bars.start * 640..plain.bars.end * 640;
        let (plain, bright) = (plain.paint(NOON, 7).to_vec(), bright.paint(NOON, 7).to_vec());
        for (dark, lit) in plain[bars.clone()].iter().zip(&bright[bars.clone()]) {
            let light = (f64::from(*lit) - 16.0) / (f64::from(*dark) - 16.0);
            assert!((light - 1.25).abs() < 0.06, "{dark} {lit}");
        }
        assert_eq!((&plain[..bars.start], &plain[bars.end..]), (&bright[..bars.start], &bright[bars.end..]));
        let white = Painter::new(640, 360, "left", IP).unwrap().lit(1e6).paint(NOON, 7)[bars].to_vec();
        assert!(white.iter().all(|luma| *luma == 235));
    }

    #[test]
    fn noise_is_as_strong_as_asked_for_and_spares_what_programs_read() {
        let mut plain = Painter::new(640, 360, "left", IP).unwrap();
        let mut noisy = plain.clone().noisy(9);
        let coded = plain.layout.height() * 640;
        let mut seen = Vec::new();
        for n in 0..3 {
            let (clean, grainy) = (plain.paint(NOON, n).to_vec(), noisy.paint(NOON, n).to_vec());
            assert_eq!((&clean[..coded], &clean[640 * 360..]), (&grainy[..coded], &grainy[640 * 360..]));
            let off: Vec<i16> = (coded..640 * 360).map(|at| i16::from(grainy[at]) - i16::from(clean[at])).collect();
            assert_eq!((off.iter().min(), off.iter().max()), (Some(&-9), Some(&9)));
            let mean = off.iter().map(|off| f64::from(*off)).sum::<f64>() / off.len() as f64;
            assert!(mean.abs() < 0.1, "{mean}");
            seen.push(off);
        }
        let alike = seen[0].iter().zip(&seen[1]).filter(|(a, b)| a == b).count() as f64 / seen[0].len() as f64;
        assert!((alike - 1.0 / 19.0).abs() < 0.01, "two pictures share {alike} of their noise");
        assert_eq!(plain.clone().noisy(0).paint(NOON, 3), plain.paint(NOON, 3));
    }

    #[test]
    fn the_bar_is_in_the_middle_at_half_a_second() {
        let mut painter = Painter::new(640, 360, "left", IP).unwrap();
        let frame = painter.paint(NOON, 0);
        let last_row = &frame[359 * 640..360 * 640];
        assert_eq!(last_row.iter().position(|&p| p == BAR), Some(320));
    }
}
