//! An MQTT 3.1.1 client that does little: packets made by hand, one read for many packets, one write for many answers.

use std::net::SocketAddr;

use bytes::{BufMut, BytesMut};
use syncslate_broker::codec::{Frame, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;

/// A connected client.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    input: BytesMut,
}

impl Client {
    /// Connects with a clean session and the longest keep alive, since rumqttd refuses to go without.
    pub async fn connect(addr: SocketAddr, id: &str) -> Result<Client> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let mut client = Client { stream, input: BytesMut::with_capacity(64 << 10) };
        let mut body = BytesMut::from(&b"\x00\x04MQTT\x04\x02\xff\xff"[..]);
        put_text(&mut body, id);
        client.send(&packet(0x10, &body)).await?;
        match client.next().await? {
            ack if ack.first == 0x20 && ack.body[..] == [0, 0] => Ok(client),
            other => Err(format!("no CONNACK but {other:?}").into()),
        }
    }

    /// The same, subscribed with QoS 1.
    pub async fn subscribed(addr: SocketAddr, id: &str, filter: &str) -> Result<Client> {
        let mut client = Client::connect(addr, id).await?;
        let mut body = BytesMut::from(&b"\x00\x01"[..]);
        put_text(&mut body, filter);
        body.put_u8(1);
        client.send(&packet(0x82, &body)).await?;
        client.next().await?;
        Ok(client)
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The next packet.
    pub async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(frame);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err("the broker has closed a connection".into());
            }
        }
    }

    /// A packet that was read already.
    pub fn ready(&mut self) -> Result<Option<Frame>> {
        Ok(frame(&mut self.input, usize::MAX)?)
    }

    /// Ends with DISCONNECT and waits for the broker to close.
    pub async fn end(mut self) -> Result<()> {
        self.send(&[0xe0, 0]).await?;
        while self.stream.read_buf(&mut self.input).await.is_ok_and(|n| n > 0) {}
        Ok(())
    }
}

/// PUBLISH with QoS 1.
pub fn publish(topic: &str, payload: &[u8], id: u16) -> BytesMut {
    let mut body = BytesMut::new();
    put_text(&mut body, topic);
    body.put_u16(id);
    body.put_slice(payload);
    packet(0x32, &body)
}

/// The PUBACK for a PUBLISH with QoS 1.
pub fn puback(publish: &Frame) -> Option<[u8; 4]> {
    let [high, low, rest @ ..] = &publish.body[..] else { return None };
    let topic = usize::from(u16::from_be_bytes([*high, *low]));
    Some([0x40, 2, *rest.get(topic)?, *rest.get(topic + 1)?])
}

fn packet(first: u8, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::with_capacity(body.len() + 5);
    out.put_u8(first);
    let mut n = body.len();
    while n > 127 {
        out.put_u8((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.put_u8(n as u8);
    out.put_slice(body);
    out
}

fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u16(text.len() as u16);
    out.put_slice(text.as_bytes());
}
