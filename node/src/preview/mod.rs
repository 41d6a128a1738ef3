//! Live pictures while somebody looks: the key frames of the stream that is recorded anyway, decoded and scaled by a
//! child of the lowest priority.
//!
//! Recording never waits for them. The loop hands a key frame on by reference, into a place that holds one, where the
//! newest wins; a child that is slow or dead costs pictures and nothing else.

mod jpeg;
mod lease;
mod worker;

use std::net::Ipv4Addr;
use std::sync::Arc;

use syncslate_shared::preview::Lease;
use syncslate_shared::time::Mono;

use self::lease::Leases;
use self::worker::Worker;
use crate::camera::{AccessUnit, CameraEvent};

/// Where pictures go.
pub type Show = Arc<dyn Fn(Vec<u8>) + Send + Sync>;

/// The pictures of one node.
pub struct Preview {
    ip: Ipv4Addr,
    leases: Leases,
    /// Runs from the first picture of a lease to the lease's end.
    worker: Option<Worker>,
    show: Show,
}

impl Preview {
    /// Shows nothing until somebody asks.
    pub fn new(ip: Ipv4Addr, show: Show) -> Self {
        Self { ip, leases: Leases::default(), worker: None, show }
    }

    /// Hears `cmd/preview`; `newest` is the last key frame of a camera that runs. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// It is no lease, or the broker had kept it: then nothing changes.
    pub fn heard(
        &mut self,
        payload: &[u8],
        retain: bool,
        newest: Option<&AccessUnit>,
        now: Mono,
    ) -> Result<(), String> {
        if retain {
            return Err("the broker had kept it: pictures are only sent while somebody asks".into());
        }
        let lease = Lease::read(payload)?;
        if lease.is_for(self.ip) {
            self.leases.add(&lease, now);
            self.tick(now);
            // The next key frame may be half a second away.
            if let Some(unit) = newest.filter(|_| self.worker.is_none()) {
                self.offer(unit, now);
            }
        }
        Ok(())
    }

    /// Looks at what the camera says before the session does. Must be called within a tokio runtime.
    pub fn on_camera(&mut self, event: &CameraEvent, now: Mono) {
        match event {
            CameraEvent::Unit(unit) if unit.key => self.offer(unit, now),
            // Its pictures may have another size, which a child that runs would not take.
            CameraEvent::Up(_) => self.worker = None,
            _ => {}
        }
    }

    /// Ends what nobody looks at any more.
    pub fn tick(&mut self, now: Mono) {
        let wanted = self.leases.width(now);
        if self.worker.as_ref().is_some_and(|worker| Some(worker.width()) != wanted) {
            self.worker = None;
        }
    }

    fn offer(&mut self, unit: &AccessUnit, now: Mono) {
        if let Some(width) = self.leases.due(now) {
            let worker = self.worker.get_or_insert_with(|| Worker::start(width, Arc::clone(&self.show)));
            worker.give(unit.data.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_no_lease_changes_nothing() {
        let at = |s| Mono::from_micros(11_000_003) + Duration::from_secs(s);
        let mut preview = Preview::new([10, 0, 0, 7].into(), Arc::new(|_| {}));
        let mine: &[u8] = br#"{"nodes":["10.0.0.7"],"fps":2,"for_s":10}"#;
        assert!(preview.heard(mine, true, None, at(0)).unwrap_err().contains("kept"));
        assert!(preview.heard(b"{", false, None, at(0)).is_err());
        preview.heard(br#"{"nodes":["10.0.0.8"],"fps":2,"for_s":10}"#, false, None, at(0)).unwrap();
        assert_eq!(preview.leases, Leases::default());
        preview.heard(mine, false, None, at(0)).unwrap();
        let promised = preview.leases.clone();
        assert!(preview.heard(br#"{"fps":0,"for_s":10}"#, false, None, at(1)).is_err());
        assert_eq!(preview.leases, promised);
        // Without a camera there is nothing to make pictures of.
        assert!(promised != Leases::default() && preview.worker.is_none());
    }
}
