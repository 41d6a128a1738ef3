//! The simulated camera at work: exposes on its own schedule, stamps with the wall clock, delivers late.
//!
//! The stamp is the scheduled instant of the exposure mapped to the wall clock, never the instant of the writing, as
//! with a sensor that stamps in hardware: a loaded machine makes its frames late, not wrong.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use syncslate_shared::report::Failure;
use syncslate_shared::time::{Clocks, Mono, SystemClocks, Wall};

use super::{Options, TestCameraArgs};
use crate::camera::fps_ratio;
use crate::ivf::FileHeader;
use crate::picture::draw::Painter;

const SECOND_NS: i128 = 1_000_000_000;

/// What the sensor asks of the clocks.
pub trait SensorClocks {
    /// The monotonic clock now.
    fn mono(&self) -> Mono;
    /// Microseconds from the monotonic to the wall clock now.
    fn mono_to_wall_us(&self) -> i64;
    /// Returns at or after `when`.
    fn wait_until(&self, when: Mono);
}

impl SensorClocks for SystemClocks {
    fn mono(&self) -> Mono {
        Clocks::mono(self)
    }

    fn mono_to_wall_us(&self) -> i64 {
        Self::mono_to_wall_us(*self)
    }

    fn wait_until(&self, when: Mono) {
        std::thread::sleep(when.since(Clocks::mono(self)));
    }
}

/// Is a camera until its reader closes the pipe: that is a clean end.
///
/// # Errors
/// The picture size is impossible, or writing failed for another reason.
pub fn run(args: &TestCameraArgs, mut out: impl Write, clocks: &impl SensorClocks) -> Result<(), Failure> {
    let (mut painter, header) = Painter::new(args.width, args.height, &args.name, args.ip)
        .map(|painter| painter.lit(args.light).noisy(args.options.noise))
        .zip(FileHeader::new(args.width, args.height).ok())
        .ok_or_else(|| {
            Failure::usage(format!("the test camera cannot draw {}x{} pictures", args.width, args.height))
                .hint("both numbers must be even, the smallest size is 160x90")
        })?;
    let schedule = Schedule::new(args, clocks)?;
    match deliver(&mut painter, header, &schedule, &args.options, &mut out, clocks) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::new(format!("the test camera cannot write: {e}"))),
        _ => Ok(()),
    }
}

fn deliver(
    painter: &mut Painter,
    header: FileHeader,
    schedule: &Schedule,
    options: &Options,
    out: &mut impl Write,
    clocks: &impl SensorClocks,
) -> std::io::Result<()> {
    out.write_all(&header.bytes())?;
    let patience = Duration::from_secs_f64(options.patience_ms / 1000.0);
    for counter in (0..u32::MAX).take_while(|&n| options.frames == 0 || u64::from(n) < options.frames) {
        let exposure_ns = schedule.exposure_ns(counter);
        let exposed = mono_after(exposure_ns);
        let due = Mono::from_micros(exposed.micros() + (options.latency_ms * 1000.0) as i64);
        if clocks.mono().since(due) > patience || schedule.is_lost(options, counter) {
            continue;
        }
        clocks.wait_until(exposed);
        // Sampled for each frame, so that a stepped or slewed wall clock shows in the stamps at once.
        let wall_ns = exposure_ns + i128::from(clocks.mono_to_wall_us()) * 1000;
        let wall_ns = u64::try_from(wall_ns).unwrap_or(0);
        let picture = painter.paint(wall_ns, counter);
        clocks.wait_until(due);
        out.write_all(&header.frame_bytes(Wall::from_micros(i64::try_from(wall_ns / 1000).unwrap_or(i64::MAX))))?;
        out.write_all(picture)?;
    }
    Ok(())
}

/// When each frame is exposed, on the monotonic clock.
#[derive(Clone, Debug)]
struct Schedule {
    /// The frame rate as a fraction.
    rate: (i128, i128),
    /// The number of the first frame, counted from 1970 in nominal frame periods.
    first: i128,
    /// From nominal instants counted from 1970 to the monotonic clock.
    shift_ns: i128,
    ppm: f64,
}

impl Schedule {
    /// Begins `start_ms` from now, at the next instant with the phase that was asked for.
    fn new(args: &TestCameraArgs, clocks: &impl SensorClocks) -> Result<Self, Failure> {
        if !(0.1..=1000.0).contains(&args.fps) {
            return Err(Failure::usage(format!("{} is no frame rate from 0.1 to 1000 a second", args.fps)));
        }
        let (num, den) = fps_ratio(args.fps);
        let (num, den) = (i128::from(num), i128::from(den));
        let ns = |ms: f64| (ms * 1e6) as i128;
        let phase_ns = ns(args.options.phase_ms);
        let offset_ns = i128::from(clocks.mono_to_wall_us()) * 1000;
        let earliest = i128::from(clocks.mono().micros()) * 1000 + offset_ns + ns(args.options.start_ms) - phase_ns;
        let first = (earliest * num).div_euclid(den * SECOND_NS) + 1;
        Ok(Self { rate: (num, den), first, shift_ns: phase_ns - offset_ns, ppm: args.options.ppm })
    }

    fn exposure_ns(&self, counter: u32) -> i128 {
        let nominal = |n: i128| (n * self.rate.1 * SECOND_NS).div_euclid(self.rate.0);
        // From whole periods since 1970, not by adding up periods: a phase that divides the second stays exact.
        let elapsed = nominal(i128::from(counter));
        nominal(self.first + i128::from(counter)) + self.shift_ns + (elapsed as f64 * self.ppm * 1e-6) as i128
    }

    /// Whether the options say that this frame gets lost.
    fn is_lost(&self, options: &Options, counter: u32) -> bool {
        let at_s = (self.exposure_ns(counter) - self.exposure_ns(0)) as f64 * 1e-9;
        options.drop.contains(&u64::from(counter))
            || (options.gap_at_s..options.gap_at_s + options.gap_s).contains(&at_s)
    }
}

/// The first microsecond at which the instant has passed.
fn mono_after(ns: i128) -> Mono {
    Mono::from_micros(i64::try_from(ns.div_euclid(1000) + 1).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use syncslate_shared::time::SimClocks;

    use super::*;
    use crate::picture::code::{Code, Layout};

    const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 101);

    impl SensorClocks for SimClocks {
        fn mono(&self) -> Mono {
            Clocks::mono(self)
        }
        fn mono_to_wall_us(&self) -> i64 {
            self.wall().micros() - Clocks::mono(self).micros()
        }
        fn wait_until(&self, when: Mono) {
            self.pass(when.since(Clocks::mono(self)));
        }
    }

    /// A frame as the reader sees it: when it came, what its header and its blocks say.
    struct Seen {
        arrived: Mono,
        pts: Wall,
        code: Code,
    }

    /// Reads the stream as it is written, holding the camera up or moving the clock when told to.
    struct Reader<'a> {
        clocks: &'a SimClocks,
        on_frame: Box<dyn FnMut(usize) + 'a>,
        header: FileHeader,
        frame: Option<Wall>,
        seen: Vec<Seen>,
    }

    impl Write for &mut Reader<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            match (bytes.len(), self.frame.take()) {
                (32, None) => self.header = FileHeader::parse(bytes.try_into().unwrap()).unwrap(),
                (12, None) => self.frame = Some(self.header.parse_frame(bytes.try_into().unwrap()).unwrap().time),
                (_, Some(pts)) => {
                    assert_eq!(bytes.len(), self.header.picture_bytes());
                    let code = Layout::of(160, 90).unwrap().read(bytes).unwrap();
                    self.seen.push(Seen { arrived: Clocks::mono(self.clocks), pts, code });
                    (self.on_frame)(self.seen.len());
                }
                (length, _) => unreachable!("{length} bytes"),
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn film(options: &str, clocks: &SimClocks, on_frame: impl FnMut(usize)) -> Vec<Seen> {
        let args = TestCameraArgs {
            ip: NODE,
            name: "left".into(),
            width: 160,
            height: 90,
            fps: 30.0,
            light: 1.0,
            options: options.parse().unwrap(),
        };
        let header = FileHeader::new(160, 90).unwrap();
        let mut reader = Reader { clocks, on_frame: Box::new(on_frame), header, frame: None, seen: Vec::new() };
        run(&args, &mut reader, clocks).unwrap();
        reader.seen
    }

    fn clocks() -> SimClocks {
        SimClocks::new(Wall::from_micros(1_761_220_930_123_457), 0.0)
    }

    /// Nanoseconds from the last wall-clock multiple of the frame period.
    fn phase_ns(code: &Code) -> i128 {
        // A multiple that is no whole nanosecond was rounded down by up to one.
        let ns = i128::from(code.time_ns) + 1;
        ns - (ns * 30).div_euclid(SECOND_NS) * SECOND_NS / 30 - 1
    }

    #[test]
    fn frames_lie_at_the_phase_that_was_asked_for() {
        for phase in [0.0, 11.0, 22.5] {
            let seen = film(&format!("phase_ms={phase},frames=400"), &clocks(), |_| ());
            assert_eq!(seen.len(), 400);
            for frame in &seen {
                let off = phase_ns(&frame.code) - (phase * 1e6) as i128;
                assert!((-1..=1).contains(&off), "{off} ns from the phase {phase}");
            }
        }
    }

    #[test]
    fn header_and_blocks_say_the_same_and_come_after_the_latency() {
        let clocks = clocks();
        let offset = clocks.mono_to_wall_us();
        let begin = Clocks::mono(&clocks);
        let seen = film("latency_ms=47,start_ms=900,frames=90", &clocks, |_| ());
        let first = seen[0].pts.micros() - offset - begin.micros();
        assert!((900_000..900_000 + 33_334).contains(&first), "first frame {first} µs after the start");
        for (n, frame) in seen.iter().enumerate() {
            assert_eq!((frame.code.counter, frame.code.ip), (n as u32, NODE));
            assert_eq!(frame.pts.micros(), i64::try_from(frame.code.time_ns / 1000).unwrap());
            let latency = frame.arrived.micros() + offset - frame.pts.micros();
            assert!((47_000..47_003).contains(&latency), "{latency} µs");
        }
    }

    #[test]
    fn a_slow_crystal_makes_its_period_longer() {
        let seen = film("ppm=80,frames=30001", &clocks(), |_| ());
        let span = seen[30_000].code.time_ns - seen[0].code.time_ns;
        assert!((span as i64 - 1_000_080_000_000).abs() <= 2, "{span}");
    }

    #[test]
    fn a_stepped_clock_shows_in_the_stamps() {
        let clocks = clocks();
        let seen = film("frames=20", &clocks, |n| {
            if n == 10 {
                clocks.step_us(-250_000)
            }
        });
        let steps: Vec<i64> = seen.windows(2).map(|w| w[1].pts.since_us(w[0].pts)).collect();
        for (n, step) in steps.into_iter().enumerate() {
            let wanted = if n == 9 { 33_333 - 250_000 } else { 33_333 };
            assert!((step - wanted).abs() <= 1, "{n}: {step}");
        }
    }

    #[test]
    fn a_held_up_camera_delivers_late_with_true_stamps() {
        let clocks = clocks();
        let seen = film("frames=60", &clocks, |n| {
            if n == 10 {
                clocks.pass(Duration::from_millis(700))
            }
        });
        assert_eq!(seen.len(), 60);
        assert!(seen.iter().all(|frame| (phase_ns(&frame.code) - 5_000_000).abs() <= 1));
    }

    #[test]
    fn what_is_too_late_is_dropped_and_counted() {
        let clocks = clocks();
        let seen = film("frames=120", &clocks, |n| {
            if n == 10 {
                clocks.pass(Duration::from_millis(2_010))
            }
        });
        let missing = seen.windows(2).map(|w| w[1].code.counter - w[0].code.counter - 1).collect::<Vec<_>>();
        assert_eq!(missing[9], 30, "frames 10 to 39 are more than a second late");
        assert_eq!(missing.iter().sum::<u32>(), 30);
    }

    #[test]
    fn frames_get_lost_on_demand() {
        let seen = film("drop=3+5,gap_at_s=1,gap_s=0.5,frames=90", &clocks(), |_| ());
        let lost: Vec<u32> = (0..90).filter(|n| seen.iter().all(|s| s.code.counter != *n)).collect();
        let expected: Vec<u32> = [3, 5].into_iter().chain(30..45).collect();
        assert_eq!(lost, expected);
    }

    #[test]
    fn a_closed_pipe_is_a_clean_end_and_a_wrong_size_is_not() {
        let args = |width| TestCameraArgs {
            ip: NODE,
            name: String::new(),
            width,
            height: 90,
            fps: 30.0,
            light: 1.0,
            options: Options::default(),
        };
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run(&args(160), writer, &clocks()), Ok(()));
        let error = run(&args(161), std::io::sink(), &clocks()).unwrap_err();
        assert!(error.to_string().starts_with("the test camera cannot draw 161x90 pictures"), "{error}");
    }
}
