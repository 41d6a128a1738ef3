//! All that can happen to a node, and all that it can do about it. Pure.

use syncslate_shared::link::LinkEvent;
use syncslate_shared::manifest::{Drop, Gap, Pause};
use syncslate_shared::protocol::ClockReading;
use syncslate_shared::protocol::Take;
use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

use crate::camera::{AccessUnit, CameraEvent};
use crate::probe::Reading;

/// Everything that the node's loop hears.
#[derive(Debug)]
pub enum Event {
    /// From the broker.
    Link(LinkEvent),
    /// From the camera.
    Camera(CameraEvent),
    /// From the disk.
    Store(StoreEvent),
    /// From the machine's instruments.
    Reading(Reading),
    /// Time passed.
    Tick,
    /// Somebody asked the program to end.
    Quit,
}

/// What the session wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Start the camera.
    StartCamera,
    /// Stop the camera.
    StopCamera,
    /// Stop the camera and start it again, because of this.
    RestartCamera(String),
    /// Stop the camera and start it with other settings.
    ChangeCamera,
    /// Do something on the disk.
    Store(StoreCommand),
}

/// Work for the disk, done in order.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreCommand {
    /// Begin a take's files, or go on with them; answered by [`StoreEvent::Opened`].
    Open(Take),
    /// Finish all takes in the folder that a crash or a power cut left unfinished, but for this one, which goes on;
    /// `ended` are those whose T1 is known.
    Recover {
        /// The take that is being recorded now.
        rolling: Option<TakeId>,
        /// Takes that have ended, as far as they are known.
        ended: Vec<Take>,
    },
    /// Begin the next segment with the picture that follows.
    Segment,
    /// Keep a picture.
    Keep(AccessUnit),
    /// The instant from which pictures belong to the take, told before the first one: T0, or of a camera on the frame
    /// grid half a period before the frame that is nearest to T0.
    From(Wall),
    /// Pictures before T0 that this camera needs to be played: how many of those kept so far.
    LeadIn(u64),
    /// Note a gap.
    Gap(Gap),
    /// Note single frames that are missing.
    Dropped(Drop),
    /// The marks as they are now, all of them.
    Marks {
        /// The take they belong to.
        id: TakeId,
        /// All of them.
        marks: Vec<Mark>,
    },
    /// Close the segment and say why nothing is kept until the next one begins.
    Pause(Pause),
    /// Take away what was kept at or after T1: STOP was heard late.
    CutBack(Wall),
    /// Close all files of the take.
    Finish {
        /// T1.
        t1: Wall,
        /// The clock now.
        clock: Option<ClockReading>,
    },
    /// The program ends in the middle of a take: close the segment, leave the take open.
    Park,
}

/// What the disk tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// The take's files are open.
    Opened {
        /// Which take.
        id: TakeId,
        /// The exposure of the last picture that was kept before; `None` for a take that begins.
        last: Option<Wall>,
    },
    /// Footage is being written again, after a failure.
    Recovered,
    /// All files are closed and have their digests.
    Finished {
        /// Which take.
        id: TakeId,
    },
    /// Something could not be written; pictures are passed over until the next segment begins.
    Failed {
        /// A word for programs: `disk_full`, `disk_read_only`, `disk_slow`, `disk_error`.
        code: &'static str,
        /// What and why.
        message: String,
        /// The exposure of the last picture that is safely in its file.
        last: Option<Wall>,
    },
    /// The files of a take that has ended could not be closed; [`StoreCommand::Recover`] does it later.
    Unfinished {
        /// A word for programs, as above.
        code: &'static str,
        /// What and why.
        message: String,
    },
}
