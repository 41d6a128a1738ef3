//! What a client sends, packet by packet.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tracing::warn;

use super::ending::End;
use super::{ALIASES, Connection, RECEIVE_MAX};
use crate::codec::{self, Bad, Packet, Publish, Version};
use crate::core::{Done, Op};
use crate::event::Event;
use crate::filters::Slot;
use crate::held::{Note, Routed};
use crate::message::Message;
use crate::outlet::Outcome;
use crate::rights::{self, Wish};
use crate::session::Sub;
use crate::topic;

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection<S> {
    /// Does what a packet asks for.
    pub(super) async fn packet(&mut self, packet: Packet) -> Result<(), End> {
        match packet {
            Packet::Connect(_) => return Err(End::Bad(Bad::Protocol("a second CONNECT"))),
            Packet::Publish(publish) => self.publish(publish)?,
            Packet::PubAck(id) | Packet::PubComp(id) => self.held.session.acknowledged(id),
            Packet::PubRec(id, true) => {
                let known = self.held.session.received(id);
                codec::put_ack(&mut self.output, self.version, 6, id, if known { 0 } else { 0x92 });
            }
            Packet::PubRec(id, false) => self.held.session.acknowledged(id),
            Packet::PubRel(id) => {
                let known = self.held.session.release(id);
                codec::put_ack(&mut self.output, self.version, 7, id, if known { 0 } else { 0x92 });
            }
            Packet::Subscribe(subscribe) => self.subscribe(subscribe).await?,
            Packet::Unsubscribe(u) => {
                let codes: Vec<u8> = u.filters.iter().map(|f| self.unsubscribe(f)).collect();
                codec::put_suback(&mut self.output, self.version, 11, u.pkid, &codes);
            }
            Packet::PingReq => codec::put_pingresp(&mut self.output),
            Packet::Disconnect(d) => {
                if self.expiry == 0 && d.props.session_expiry.is_some_and(|s| s > 0) {
                    return Err(End::Bad(Bad::Protocol("session expiry after a session without")));
                }
                return Err(End::Asked(d.reason == 4, d.props.session_expiry));
            }
        }
        Ok(())
    }

    fn publish(&mut self, p: Publish) -> Result<(), End> {
        let topic = self.topic(p.topic, p.props.topic_alias)?;
        let size = p.payload.len() + topic.len();
        if p.qos == 2 {
            if !self.held.session.incoming(p.pkid) {
                codec::put_ack(&mut self.output, self.version, 5, p.pkid, 0);
                return Ok(());
            }
            if self.held.session.unreleased() > usize::from(RECEIVE_MAX) {
                return Err(End::Ours(0x93, "more unreleased messages than the receive maximum"));
            }
        }
        let denied = !self.may(Wish::Publish, &topic);
        self.unconfirmed += 1;
        self.unconfirmed_bytes += size;
        // 3.1.1 knows no refusal of a publish: it is acknowledged and goes nowhere, as with Mosquitto.
        let code = if denied { 0x87 } else { 0 };
        let note = Note::Routed(Routed { pkid: p.pkid, qos: p.qos, bytes: size, code });
        let done = Done { to: self.own_notes.clone(), note };
        if denied {
            if p.qos == 2 && self.version == Version::V5 {
                self.held.session.release(p.pkid);
            }
            self.hub.op(Op::Pass(done));
            return Ok(());
        }
        let message = Message {
            topic,
            payload: p.payload,
            qos: p.qos,
            retain: p.retain,
            sender: self.held.session.number,
            at_ms: self.hub.now_ms(),
            expiry: p.props.message_expiry,
            forward: p.props.forward,
        };
        self.hub.publish(&self.client, message, Some(done));
        Ok(())
    }

    fn topic(&mut self, topic: String, alias: Option<u16>) -> Result<Arc<str>, End> {
        let Some(alias) = alias else {
            return Ok(topic.into());
        };
        if alias > ALIASES {
            return Err(End::Ours(0x94, "topic alias above the maximum"));
        }
        if topic.is_empty() {
            return self.aliases.get(&alias).cloned().ok_or(End::Bad(Bad::Protocol("unknown topic alias")));
        }
        let topic: Arc<str> = topic.into();
        self.aliases.insert(alias, topic.clone());
        Ok(topic)
    }

    /// Answers a publish that has been dealt with.
    pub(super) fn routed(&mut self, r: Routed) {
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
        self.unconfirmed_bytes = self.unconfirmed_bytes.saturating_sub(r.bytes);
        match r.qos {
            1 => codec::put_ack(&mut self.output, self.version, 4, r.pkid, r.code),
            2 => codec::put_ack(&mut self.output, self.version, 5, r.pkid, r.code),
            _ => {}
        }
    }

    /// Whether this client's account may do that; if not, the controller is told.
    fn may(&self, wish: Wish, what: &str) -> bool {
        let Some((user, role)) = &self.account else { return true };
        let allowed = rights::allows(role, &self.hub.config.prefix, wish, what);
        if !allowed {
            warn!(client = self.client, user, ?wish, what, "denied");
            let (client, user, what) = (self.client.clone(), user.clone(), what.to_owned());
            self.hub.event(Event::Denied { client, user, wish, what });
        }
        allowed
    }

    async fn subscribe(&mut self, s: codec::Subscribe) -> Result<(), End> {
        let mut slots = Vec::new();
        let mut codes = Vec::new();
        let mut made = Vec::new();
        for filter in s.filters {
            if filter.no_local && topic::shared(&filter.path).is_some() {
                return Err(End::Bad(Bad::Protocol("no-local on a shared subscription")));
            }
            let sub = Sub { filter, id: s.props.subscription_id };
            match self.subscribe_one(sub.clone()) {
                Ok(slot) => {
                    codes.push(sub.filter.qos);
                    made.push((sub, slot.is_some()));
                    slots.extend(slot);
                }
                Err(code) => codes.push(if self.version == Version::V4 { 0x80 } else { code }),
            }
        }
        match &self.held.link {
            Some(link) => slots.into_iter().for_each(|slot| self.hub.subscribe(link, slot)),
            None if slots.is_empty() => {}
            None => {
                let link = self.hub.link(slots).await;
                self.held.link = Some(link.ok_or(End::Ours(0x97, "no link to the router"))?);
            }
        }
        codec::put_suback(&mut self.output, self.version, 9, s.pkid, &codes);
        for (sub, new) in made {
            let wanted = sub.filter.retain_handling == 0 || (sub.filter.retain_handling == 1 && new);
            if wanted && topic::shared(&sub.filter.path).is_none() {
                let now = self.hub.now_ms();
                for message in self.hub.retained(&sub.filter.path) {
                    let offer = self.held.session.offer_retained(&sub, &message, now);
                    self.outcome(Outcome::Message(offer))?;
                }
            }
        }
        Ok(())
    }

    /// The number of the filter if it is a new one for this client; `None` if there was one; else the reason code of a
    /// refusal.
    fn subscribe_one(&mut self, sub: Sub) -> Result<Option<Slot>, u8> {
        let filter = &sub.filter.path;
        topic::check_filter(filter).map_err(|_| 0x8f)?;
        let what = topic::shared(filter).map_or(filter.as_str(), |(_, filter)| filter);
        if !self.may(Wish::Subscribe, what) {
            return Err(0x87);
        }
        let session = &mut self.held.session;
        if session.has(filter) {
            session.change(sub);
            return Ok(None);
        }
        if session.subscriptions() >= self.hub.config.limits.subscriptions {
            return Err(0x97);
        }
        let slot = self.hub.add_filter(filter);
        session.subscribe(slot, sub);
        Ok(Some(slot))
    }

    fn unsubscribe(&mut self, filter: &str) -> u8 {
        match (self.held.session.unsubscribe(filter), &self.held.link) {
            (Some(slot), Some(link)) => {
                self.hub.remove_filter(link, filter, slot);
                0
            }
            // rumqttd leaves the UNSUBSCRIBE of an unknown filter unanswered (router/routing.rs:720).
            _ => 0x11,
        }
    }
}
