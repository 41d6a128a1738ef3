//! What happens after a connection: last wills, and sessions that wait for their client.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::codec::Will;
use crate::event::Event;
use crate::held::{Held, Note, Takeover};
use crate::hub::Hub;
use crate::message::Message;
use crate::outlet::{self, Outcome};
use crate::session::Offer;

/// A client that is not connected. It still owns its client id until its session ends.
pub(crate) struct Absent {
    pub(crate) hub: Arc<Hub>,
    pub(crate) client: String,
    pub(crate) key: String,
    pub(crate) number: u64,
    pub(crate) notes: mpsc::UnboundedReceiver<Note>,
}

impl Absent {
    /// The connection has ended: the will is published, at once or after its delay; the session is kept or ends.
    pub(crate) fn begin(self, held: Held, will: Option<Will>, expiry: u32) {
        let room = self.hub.owners() <= self.hub.config.limits.connections * 2;
        if expiry == 0 || !room {
            self.publish(will, &held);
            self.end(held);
            return;
        }
        let delay = will.as_ref().and_then(|w| w.props.will_delay).unwrap_or(0).min(expiry);
        let will = match will {
            Some(will) if delay > 0 => Some(will),
            will => {
                self.publish(will, &held);
                None
            }
        };
        self.hub.away(&held.session, true);
        tokio::spawn(Box::pin(self.keep(held, will, delay, expiry)));
    }

    /// A new connection has come for the session. The old will goes out before the new client is answered, so what
    /// the new one says of itself comes after it; and not at all if the session lives on (as Mosquitto does it).
    pub(crate) fn hand_over(self, held: Held, will: Option<Will>, expiry: u32, takeover: Takeover) {
        if takeover.clean || expiry == 0 {
            self.publish(will, &held);
            self.end(held);
        } else if let Err(held) = takeover.reply.send(Box::new(held)) {
            self.end(*held);
        }
    }

    async fn keep(mut self, mut held: Held, mut will: Option<Will>, delay: u32, expiry: u32) {
        let ended = crate::clock::timer() + Duration::from_secs(u64::from(expiry));
        let will_at = crate::clock::timer() + Duration::from_secs(u64::from(delay));
        let mut told = false;
        loop {
            tokio::select! {
                outcome = outlet::next(&self.hub, &mut held) => {
                    let lost = matches!(outcome, Outcome::Message(Offer::Dropped | Offer::Overflow));
                    if lost && !std::mem::replace(&mut told, true) {
                        self.hub.event(Event::Slow { client: self.client.clone(), closed: false });
                    }
                }
                note = self.notes.recv() => match note {
                    Some(Note::Takeover(takeover)) => {
                        self.hub.away(&held.session, false);
                        return self.hand_over(held, will, expiry, takeover);
                    }
                    Some(Note::Routed(..)) => {}
                    Some(Note::Stop) => return self.hub.detach(&self.key, self.number),
                    None => return self.end(held),
                },
                () = sleep_until(will_at), if will.is_some() => self.publish(will.take(), &held),
                () = sleep_until(ended) => {
                    self.publish(will.take(), &held);
                    return self.end(held);
                }
            }
        }
    }

    fn publish(&self, will: Option<Will>, held: &Held) {
        if let Some(will) = will {
            let message = Message::of_will(will, held.session.number, self.hub.now_ms());
            self.hub.publish(&self.client, message, None);
        }
    }

    fn end(self, held: Held) {
        self.hub.detach(&self.key, self.number);
        self.hub.end(held);
    }
}
