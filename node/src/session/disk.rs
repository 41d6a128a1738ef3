//! What the session makes of the disk: its room, its answers, its failures. Pure.

use syncslate_shared::protocol::Fault;
use syncslate_shared::time::Mono;

use super::{DISK_RETRY, FINISH_RETRY, Session};
use crate::event::StoreEvent;
use crate::ring::Break;
use crate::space::Room;

impl Session {
    /// The disk was read.
    pub fn on_room(&mut self, room: Option<Room>, now: Mono) {
        let before = self.space.halt();
        self.space.read(room, self.ring.rate(), self.ring.fps());
        match (before, self.space.halt()) {
            (None, Some(why)) => tracing::warn!("{}", why.detail),
            (Some(_), None) => tracing::info!("the disk takes footage again"),
            _ => {}
        }
        self.advance(now);
    }

    /// The disk said something.
    pub fn on_store(&mut self, event: StoreEvent, now: Mono) {
        match event {
            StoreEvent::Opened { id, last } => {
                if let Some(roll) = self.roll.as_mut().filter(|r| r.take.id == id) {
                    roll.open(last);
                    self.disk_fault = None;
                }
                self.say_marks();
                self.advance(now);
            }
            StoreEvent::Recovered => self.disk_fault = None,
            StoreEvent::Finished { .. } => {}
            StoreEvent::Failed { code, message, last } => {
                if let Some(roll) = &mut self.roll {
                    let why = Break { cause: code, detail: message.clone() };
                    roll.fail(last, why, &self.ring, now + DISK_RETRY);
                }
                self.disk_failed(code, message, now);
            }
            StoreEvent::Unfinished { code, message } => {
                self.finish_at = Some(now + FINISH_RETRY);
                self.disk_failed(code, message, now);
            }
        }
    }

    fn disk_failed(&mut self, code: &str, message: String, now: Mono) {
        tracing::error!("{message}");
        self.disk_fault = Some(Fault { code: code.into(), message });
        self.disk_failed_at = Some(now);
    }
}
