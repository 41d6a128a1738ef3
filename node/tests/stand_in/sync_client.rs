//! What libcamera's `rpi.sync` does as a client, by its sources: for each frame it looks for packets, and says by how much
//! the next frame that it can still change is to be shorter, and whether pictures are wanted already. Pure.

/// It does not change a frame by less, in microseconds.
const LEAST_US: i64 = 50;

/// A client that has just been started.
#[derive(Debug)]
pub(crate) struct SyncClient {
    /// The period as programmed, in microseconds.
    programmed_us: i64,
    /// What it took the last frame's beginning for.
    last_us: Option<i64>,
    /// The period by the last packet, in microseconds.
    period_us: f64,
    ready_us: i64,
    heard: bool,
    ready: bool,
}

/// What it makes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// By how much a frame is to be shorter, in microseconds; negative for longer.
    pub(crate) shorten_us: i64,
    /// Whether this frame and all that follow are encoded.
    pub(crate) ready: bool,
}

impl SyncClient {
    /// The client of a camera of this rate.
    pub(crate) fn new(fps: f64) -> Self {
        let programmed_us = (1e6 / fps) as i64;
        Self { programmed_us, last_us: None, period_us: 0.0, ready_us: 0, heard: false, ready: false }
    }

    /// A frame that began at `frame_us` of the wall clock, with the packets that came since the last one.
    pub(crate) fn frame(&mut self, frame_us: i64, packets: &[[u8; 40]]) -> Verdict {
        let mut shorten_us = 0;
        // Frames only go forward for it, also when the clock was set back.
        let frame_us = self.last_us.map_or(frame_us, |last| frame_us.max(last + self.programmed_us / 2));
        self.last_us = Some(frame_us);
        if let Some(packet) = packets.last() {
            let number = |at: usize| packet[at..at + 8].iter().rev().fold(0, |all, byte| all << 8 | i64::from(*byte));
            self.period_us = f64::from(u32::from_le_bytes([packet[0], packet[1], packet[2], packet[3]]));
            (self.ready_us, self.heard) = (number(32), true);
            let apart = (frame_us - number(16)) as f64;
            // The original lets the fraction fall, also of a frame that lies before the server's: then it is wrong by one.
            let frames = ((apart + self.period_us / 2.0) / self.period_us).trunc();
            let off = (frame_us as f64 - frames * self.period_us) as i64 - number(16);
            shorten_us = if off.abs() < LEAST_US { 0 } else { off };
        }
        self.ready |= self.heard && frame_us as f64 + self.period_us / 2.0 > self.ready_us as f64;
        Verdict { shorten_us, ready: self.ready }
    }
}
