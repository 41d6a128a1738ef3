//! MQTT 3.1.1 and 5 packets as a server reads and writes them.
//!
//! Pure: bytes in, packets out, no socket and no clock. Strict where the standard says MUST, because everything behind
//! the guard relies on it: strings are UTF-8 without U+0000, packet ids are not zero, flags are as prescribed, nothing
//! is left over at a packet's end.

mod decode;
mod encode;
mod frame;
mod props;
mod read;

pub use decode::decode;
pub use encode::*;
pub use frame::{Frame, frame};
pub use props::{Props, forward_text};

use bytes::Bytes;

/// The two protocol versions that the guard speaks, told apart by the level byte of CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1, level 4.
    V4,
    /// MQTT 5, level 5.
    V5,
}

/// Quality of service as a number, 0 to 2, checked when decoded.
pub type Qos = u8;

/// What is wrong with bytes that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// The bytes are no packet of this protocol.
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    /// A packet that must not come like this.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// CONNECT of a protocol version that is not spoken here; the level it asked for.
    #[error("protocol version {0} is not supported")]
    Version(u8),
    /// Larger than the limit in bytes.
    #[error("packet of {0} bytes is too large")]
    TooLarge(usize),
    /// A topic name or a filter that the standard forbids.
    #[error("bad topic: {0}")]
    Topic(&'static str),
    /// A topic alias that is none.
    #[error("bad topic alias: {0}")]
    Alias(&'static str),
}

impl Bad {
    /// The reason code of MQTT 5 for DISCONNECT and CONNACK.
    pub fn code(self) -> u8 {
        match self {
            Bad::Malformed(_) => 0x81,
            Bad::Protocol(_) => 0x82,
            Bad::Version(_) => 0x84,
            Bad::TooLarge(_) => 0x95,
            Bad::Topic(_) => 0x90,
            Bad::Alias(_) => 0x94,
        }
    }
}

/// A packet from a client.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// The first packet of a connection.
    Connect(Box<Connect>),
    /// A message.
    Publish(Publish),
    /// QoS 1 received.
    PubAck(u16),
    /// QoS 2 received; whether the receiver took it (reason below 0x80).
    PubRec(u16, bool),
    /// QoS 2 released.
    PubRel(u16),
    /// QoS 2 complete.
    PubComp(u16),
    /// Wishes to receive.
    Subscribe(Subscribe),
    /// Wishes to receive no more.
    Unsubscribe(Unsubscribe),
    /// A sign of life.
    PingReq,
    /// A proper end.
    Disconnect(Disconnect),
}

/// CONNECT.
#[derive(Debug, Clone, PartialEq)]
pub struct Connect {
    /// By its level byte.
    pub version: Version,
    /// Empty: the server chooses one.
    pub client_id: String,
    /// Forget what was before (clean session, clean start).
    pub clean: bool,
    /// Seconds, 0 = never times out.
    pub keep_alive: u16,
    /// Published when the connection ends without DISCONNECT.
    pub will: Option<Will>,
    /// The account.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Bytes>,
    /// Session expiry, receive maximum, maximum packet size, request problem information.
    pub props: Props,
}

/// The last will inside CONNECT.
#[derive(Debug, Clone, PartialEq)]
pub struct Will {
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// How surely.
    pub qos: Qos,
    /// Whether it stays.
    pub retain: bool,
    /// Delay, expiry and what is passed on.
    pub props: Props,
}

/// PUBLISH.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish {
    /// Sent before.
    pub dup: bool,
    /// 0 to 2.
    pub qos: Qos,
    /// Stays in the broker.
    pub retain: bool,
    /// Empty only with a topic alias.
    pub topic: String,
    /// 0 when QoS is 0.
    pub pkid: u16,
    /// Topic alias, expiry and what is passed on.
    pub props: Props,
    /// The message.
    pub payload: Bytes,
}

/// SUBSCRIBE.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// To answer with.
    pub pkid: u16,
    /// At least one.
    pub filters: Vec<Filter>,
    /// The subscription identifier.
    pub props: Props,
}

/// One wish of a SUBSCRIBE. Its text is not checked yet: a bad one is answered, not punished.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// With wildcards.
    pub path: String,
    /// The most that the subscriber wants.
    pub qos: Qos,
    /// Do not send me what I published (version 5).
    pub no_local: bool,
    /// Keep the retain flag as it was published (version 5).
    pub retain_as_published: bool,
    /// 0 send retained, 1 only for a new subscription, 2 never (version 5).
    pub retain_handling: u8,
}

/// UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsubscribe {
    /// To answer with.
    pub pkid: u16,
    /// At least one.
    pub filters: Vec<String>,
}

/// DISCONNECT.
#[derive(Debug, Clone, PartialEq)]
pub struct Disconnect {
    /// 0 for version 3.1.1; 4 asks for the last will to be published.
    pub reason: u8,
    /// Session expiry may be changed at the end.
    pub props: Props,
}

#[cfg(test)]
mod tests;
