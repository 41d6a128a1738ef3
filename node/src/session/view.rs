//! What the status says of the session. Pure.

use std::time::Duration;

use syncslate_shared::manifest::Gap;
use syncslate_shared::protocol::{Drops, Fault, NodeState, Phase, Take};
use syncslate_shared::time::Mono;

use super::{Camera, STALL_PERIODS, STEP_TOLD, Session};
use crate::camera::CameraFacts;
use crate::ring::Ring;
use crate::space::Space;

impl Session {
    /// What the status says.
    pub fn state(&self) -> NodeState {
        if self.fault().is_some() {
            return NodeState::Fault;
        }
        match (&self.camera, &self.roll) {
            (Camera::On { .. }, Some(roll)) if roll.window.is_some() => NodeState::Rolling,
            (Camera::On { .. }, _) if self.ring.held_s() > 0.0 => {
                if self.roll.is_some() {
                    NodeState::Rolling
                } else {
                    NodeState::Armed
                }
            }
            (Camera::Off, _) => NodeState::Standby,
            _ => NodeState::Starting,
        }
    }

    /// What is wrong, the disk before the camera.
    pub fn fault(&self) -> Option<Fault> {
        self.space.fault().or_else(|| self.disk_fault.clone()).or_else(|| self.camera_fault.clone())
    }

    /// How long the disk lasts.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The take that is being recorded, and how many frames of it are known to be missing.
    pub fn rolling(&self) -> Option<(&Take, Drops)> {
        self.roll.as_ref().map(|roll| (&roll.take, roll.drops))
    }

    /// How many gaps the take has, and the last one; `None` without a take or a gap.
    pub fn gaps(&self) -> Option<(u64, &Gap)> {
        self.roll.as_ref().and_then(|roll| Some((roll.gaps, roll.last_gap.as_ref()?)))
    }

    /// For how long a camera that runs has sent no picture, when that is too long.
    pub fn stalled(&self, now: Mono) -> Option<Duration> {
        match self.camera {
            Camera::On { heard, since: None, .. } => Some(now.since(heard)).filter(|silent| *silent > self.stall()),
            _ => None,
        }
    }

    /// Whether the encoder is slower than the camera.
    pub fn behind(&self) -> bool {
        self.behind
    }

    /// By how many microseconds the wall clock was set a short time ago.
    pub fn step_us(&self, now: Mono) -> Option<i64> {
        self.step.filter(|(_, at)| now.since(*at) < STEP_TOLD).map(|(us, _)| us)
    }

    /// So long a silence is a stall.
    pub(super) fn stall(&self) -> Duration {
        self.settings.grid.period() * STALL_PERIODS
    }

    /// Where the camera's frames lie against the frame grid.
    pub fn phase(&self) -> Option<Phase> {
        self.phase.told()
    }

    /// The pre-roll.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What is known of the camera while it runs.
    pub fn facts(&self) -> Option<&CameraFacts> {
        match &self.camera {
            Camera::On { facts, .. } => Some(facts),
            _ => None,
        }
    }

    /// Milliseconds from start to first picture, when it was measured.
    pub fn start_ms(&self) -> Option<u64> {
        self.start_ms
    }
}
