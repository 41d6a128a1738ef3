//! The word that holds the camera on the frame grid: what libcamera's `rpi.sync` sends from a server to its clients. Pure.
//!
//! A client reads nothing but numbers of the wall clock: an instant at which a frame begins, the frame period, and the
//! instant from which pictures are wanted. So no other camera is needed to lead it: every node says the grid to its own
//! camera, and cameras that never heard of each other expose together as well as their clocks agree.
//!
//! With each packet a client makes one frame shorter or longer, when it is 50 µs or more off (libcamera,
//! `src/ipa/rpi/controller/rpi/sync.cpp`). Packets come twice a second, so that 130 µs/s of drift stay below 150 µs.

use std::time::Duration;

use syncslate_shared::grid::Grid;
use syncslate_shared::protocol::GOP_MS;
use syncslate_shared::time::Wall;

/// Slower cameras would be told again before what they were told first shows.
pub const SLOWEST: f64 = 8.0;
/// From this rate on a packet is followed by enough frames within half a second.
const FAST: u64 = 20;
/// How long before the packet the frame begins that it names: the client must have seen frames after it, as its rounding
/// of a frame that lies ahead would be wrong by a whole period.
const BEHIND: Duration = Duration::from_millis(200);
const BEHIND_FRAMES: u32 = 8;
/// How long before an instant that T0 can be the packet is sent: what it changes shows after five to six frames, and each
/// millisecond more lets the camera drift.
const LEAD: Duration = Duration::from_millis(200);
const LEAD_FRAMES: u32 = 6;
/// Pictures are wanted at the earliest so long after a packet.
const SOON: Duration = Duration::from_millis(100);

/// Says where the grid lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    grid: Grid,
    /// From packet to packet.
    each: Duration,
    /// The first picture lies on a multiple of this, so that IDR frames counted from it lie where T0 does.
    step: Duration,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The frame period in microseconds.
    pub period_us: u32,
    /// An instant at which a frame begins.
    pub frame: Wall,
    /// The instant of the first frame that is wanted.
    pub ready: Wall,
}

impl Server {
    /// A server for a camera of this rate.
    pub fn new(grid: Grid) -> Self {
        let gop = Duration::from_millis(GOP_MS);
        let each = if grid.frames_in(gop * 2) >= FAST { gop } else { gop * 2 };
        Self { grid, each, step: grid.step().unwrap_or(gop).max(each) }
    }

    /// When a packet is due, after `now`: so long before an instant that T0 can be that what it changes has shown by then.
    pub fn next(&self, now: Wall) -> Wall {
        let lead = LEAD.max(self.grid.period() * LEAD_FRAMES);
        let due = now.floor_to(self.each) + self.each.saturating_sub(lead);
        if due > now { due } else { due + self.each }
    }

    /// The packet to send `now`.
    pub fn packet(&self, now: Wall) -> Packet {
        let period = self.grid.period();
        let behind = BEHIND.max(period * BEHIND_FRAMES);
        Packet {
            period_us: u32::try_from((period.as_nanos() + 500) / 1000).unwrap_or(u32::MAX),
            frame: self.grid.at_or_before(now - behind),
            // It moves on with the packets until the camera has heard one: however long it takes to start.
            ready: self.grid.nearest((now + SOON).ceil_to(self.step)),
        }
    }
}

impl Packet {
    /// How it travels: the structure as a 64-bit processor lays it out.
    pub fn bytes(self) -> [u8; 40] {
        let time = |at: Wall| at.micros().to_ne_bytes();
        let mut bytes = [0; 40];
        bytes[0..4].copy_from_slice(&self.period_us.to_ne_bytes());
        // Two of the places are the sender's boot clock, which clients passed over from the first release on. A client
        // of the layout without them finds the frame here too.
        bytes[8..16].copy_from_slice(&time(self.frame));
        bytes[16..24].copy_from_slice(&time(self.frame));
        bytes[24..32].copy_from_slice(&time(self.ready));
        bytes[32..40].copy_from_slice(&time(self.ready));
        bytes
    }
}

/// How many frames lie between two IDR frames: so many that they lie where T0 does, counted from the first picture.
pub fn intra(grid: Grid, gop: Duration) -> u64 {
    let between = match grid.step() {
        Some(step) if !grid.meets(gop) => step,
        _ => gop,
    };
    grid.frames_in(between).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Wall = Wall::from_micros(1_761_220_930_250_017);

    #[test]
    fn a_packet_names_a_frame_that_was_and_the_next_instant_that_t0_can_be() {
        let packet = Server::new(Grid::of(30.0)).packet(AT);
        assert_eq!(packet.period_us, 33_333);
        assert_eq!(packet.ready, Wall::from_micros(1_761_220_930_500_000));
        assert_eq!(packet.frame, Wall::from_micros(1_761_220_929_966_667));
        let bytes = packet.bytes();
        let number = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(u32::from_ne_bytes(bytes[0..4].try_into().unwrap()), 33_333);
        assert_eq!((number(16), number(32)), (1_761_220_929_966_667, 1_761_220_930_500_000));
        let ready = |fps: f64| Server::new(Grid::of(fps)).packet(AT).ready.micros() % 1_000_000;
        assert_eq!((ready(25.0), ready(10.0), ready(60.0)), (0, 0, 500_000));
    }

    #[test]
    fn packets_come_twice_a_second_shortly_before_what_t0_can_be() {
        let due =
            |fps: f64, now: Wall| Server::new(Grid::of(fps)).next(now).since_us(AT.floor_to(Duration::from_secs(1)));
        assert_eq!(due(30.0, AT), 300_000);
        assert_eq!(due(30.0, AT.offset_us(50_000)), 800_000);
        // Six periods of 24 a second, each rounded up to a nanosecond.
        assert_eq!((due(24.0, AT), due(10.0, AT)), (749_999, 400_000));
    }

    #[test]
    fn idr_frames_fall_on_instants_of_t0() {
        let gop = Duration::from_millis(500);
        let intra = |fps: f64| intra(Grid::of(fps), gop);
        assert_eq!([30.0, 24.0, 60.0, 25.0, 29.97].map(intra), [15, 12, 30, 25, 15]);
    }

    proptest! {
        #[test]
        fn what_is_said_lies_on_the_grid(us in 1_000_000_000_000_000i64..3_000_000_000_000_000, fps in 8.0f64..240.0) {
            let (grid, now) = (Grid::of(fps), Wall::from_micros(us));
            let server = Server::new(grid);
            let packet = server.packet(now);
            prop_assert_eq!((grid.off_us(packet.frame), grid.off_us(packet.ready)), (0, 0));
            prop_assert!(packet.frame < now && packet.ready > now);
            let next = server.next(now);
            prop_assert!(next > now && next.since_us(now) <= 1_000_000);
        }
    }
}
