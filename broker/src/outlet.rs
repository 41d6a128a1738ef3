//! What comes out of the router for one session.

use std::future::pending;
use std::sync::atomic::Ordering;

use rumqttd::Notification;
use rumqttd::local::LinkRx;
use rumqttd::protocol::Packet;

use crate::held::{Held, Link};
use crate::hub::Hub;
use crate::message::Message;
use crate::router::{slot_of, turn_of};
use crate::session::Offer;

/// What one step brought.
pub(crate) enum Outcome {
    /// Nothing for the client.
    Nothing,
    /// A message was offered to the session.
    Message(Offer),
}

/// Waits for one thing from the router and gives it to the session. May be cut off at any time. Without a link: never.
pub(crate) async fn next(hub: &Hub, held: &mut Held) -> Outcome {
    let Some(link) = &mut held.link else {
        return pending().await;
    };
    if link.asleep {
        if Box::pin(wake(link)).await {
            held.renewed();
        } else {
            link.asleep = false;
        }
        return Outcome::Nothing;
    }
    tokio::select! {
        biased;
        fresh = link.fresh.recv() => {
            match fresh {
                Some(rx) => {
                    let old = std::mem::replace(&mut link.rx, rx);
                    let outcome = drain(hub, held, old);
                    held.renewed();
                    outcome
                }
                None => pending().await,
            }
        }
        notification = link.rx.next() => match notification {
            Ok(Some(Notification::Unschedule)) => {
                // Remembered and not done here: this may be cut off while the router's channel is full.
                link.asleep = true;
                Outcome::Nothing
            }
            Ok(Some(notification)) => take(hub, held, notification),
            Ok(None) => Outcome::Nothing,
            // The router has ended. The next step is that a fresh link comes.
            Err(_) => match link.fresh.recv().await {
                Some(rx) => {
                    link.rx = rx;
                    held.renewed();
                    Outcome::Nothing
                }
                None => pending().await,
            },
        },
    }
}

/// Tells the router that this link takes more. A router that does not take that in is replaced, which ends the waiting;
/// true then.
async fn wake(link: &mut Link) -> bool {
    tokio::select! {
        _ = link.rx.wake() => false,
        fresh = link.fresh.recv() => match fresh {
            Some(rx) => {
                link.rx = rx;
                true
            }
            None => false,
        },
    }
}

impl Held {
    /// The link is one of a new router's now.
    fn renewed(&mut self) {
        if let Some(link) = &mut self.link {
            link.marks = 0;
            link.asleep = false;
        }
        self.session.renewed();
    }
}

/// Takes what an old router had already put on a link.
fn drain(hub: &Hub, held: &mut Held, mut old: LinkRx) -> Outcome {
    let mut worst = Offer::Taken;
    while let Ok(Some(notification)) = old.recv_deadline(crate::clock::now()) {
        if let Outcome::Message(offer) = take(hub, held, notification)
            && offer != Offer::Taken
        {
            worst = offer;
        }
    }
    Outcome::Message(worst)
}

fn take(hub: &Hub, held: &mut Held, notification: Notification) -> Outcome {
    let Some(link) = &mut held.link else {
        return Outcome::Nothing;
    };
    match notification {
        Notification::Forward(forward) if link.marks == 0 => {
            let header = forward.properties.and_then(|p| p.correlation_data);
            let Some(slot) = slot_of(&forward.publish.topic) else {
                return Outcome::Nothing;
            };
            if let Some(turn) = header.as_deref().and_then(turn_of) {
                link.turned.fetch_max(turn, Ordering::Relaxed);
            }
            let gap = forward.cursor.is_some_and(|(_, offset)| held.session.gap(slot, offset));
            let offer = match Message::unpacked(header, forward.publish.payload) {
                Some((message, slots)) => held.session.offer(slot, &slots, &message, hub.now_ms()),
                // A blank that turned the log.
                None if !gap => return Outcome::Nothing,
                None => Offer::Taken,
            };
            match offer {
                Offer::Taken if gap && held.session.promised(slot) => Outcome::Message(Offer::Overflow),
                Offer::Taken if gap => Outcome::Message(Offer::Dropped),
                offer => Outcome::Message(offer),
            }
        }
        Notification::DeviceAck(ack) => {
            if matches!(Packet::from(ack), Packet::PingResp(_)) {
                link.marks = link.marks.saturating_sub(1);
            }
            Outcome::Nothing
        }
        _ => Outcome::Nothing,
    }
}
