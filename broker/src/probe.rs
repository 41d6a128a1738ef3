//! A client of our own that knocks at a port, to see whether somebody opens.
//!
//! Its socket is bound before it connects, so the listener knows its address beforehand and nothing needs to be said: no
//! secret goes over the wire, and nobody else can come from that address while the socket has it. What a probe gets is
//! two bytes and no permit, no session, no account, so there is nothing to gain by being taken for one.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::lock::lock;

/// How long an answer may take, in steps. A process that was suspended or starved wakes up with one step passed, not
/// with all of them, and does not take its own sleep for the listener's.
const STEP: Duration = Duration::from_millis(100);
const STEPS: usize = 6;
/// Unanswered probes that are remembered; later ones find their predecessors forgotten.
const REMEMBERED: usize = 16;
/// What a probe is answered with: PINGRESP.
const ANSWER: [u8; 2] = [0xd0, 0];

/// What a probe found instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody listens on the port.
    Refused,
    /// No answer in time.
    Unanswered,
}

/// The addresses that probes of one port come from.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// Of the one on its way, and of those that were never answered: they are still in the queue of the socket, and a
    /// new listener gets them first.
    expected: Mutex<Vec<SocketAddr>>,
}

impl Probe {
    /// Whether a connection from there is a probe.
    pub(crate) fn expects(&self, peer: SocketAddr) -> bool {
        let same = |a: &SocketAddr| a.port() == peer.port() && a.ip().to_canonical() == peer.ip().to_canonical();
        lock(&self.expected).iter().any(same)
    }

    /// Knocks once. Where no probe can be sent (no descriptors left, the address is no longer this machine's) nothing is
    /// known of the listener, and nothing is said against it.
    pub(crate) async fn knock(&self, port: SocketAddr) -> Result<(), Silence> {
        let target = reachable(port);
        let Ok((socket, here)) = socket(target) else {
            return Ok(());
        };
        {
            let mut expected = lock(&self.expected);
            expected.truncate(REMEMBERED - 1);
            expected.insert(0, here);
        }
        let answer = async {
            let mut stream = socket.connect(target).await?;
            let mut answer = [0; ANSWER.len()];
            stream.read_exact(&mut answer).await?;
            Ok::<_, io::Error>(())
        };
        tokio::pin!(answer);
        for _ in 0..STEPS {
            match timeout(STEP, &mut answer).await {
                Ok(Ok(())) => {
                    lock(&self.expected).clear();
                    return Ok(());
                }
                Ok(Err(e)) if e.kind() == ErrorKind::ConnectionRefused => return Err(Silence::Refused),
                Ok(Err(_)) => return Err(Silence::Unanswered),
                Err(_) => {}
            }
        }
        Err(Silence::Unanswered)
    }
}

/// Answers a probe, in a task of its own as for any other connection. The probe closes first and without lingering, so
/// neither side keeps anything of it.
pub(crate) async fn answer(mut stream: TcpStream) {
    let _ = timeout(STEP * 10, async {
        stream.write_all(&ANSWER).await?;
        stream.read_u8().await
    })
    .await;
}

/// A socket to connect from, and its address.
fn socket(target: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_zero_linger()?;
    let mut here = target;
    here.set_port(0);
    socket.bind(here)?;
    let here = socket.local_addr()?;
    Ok((socket, here))
}

/// A port that is open on all addresses is knocked at on loopback.
fn reachable(mut port: SocketAddr) -> SocketAddr {
    match port.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => port.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => port.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    port
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn only_its_own_address_is_expected() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let probe = Probe::default();
        let _other = TcpStream::connect(addr).await.unwrap();
        let opening = async {
            let (_, peer) = listener.accept().await.unwrap();
            assert!(!probe.expects(peer));
            let (stream, peer) = listener.accept().await.unwrap();
            assert!(probe.expects(peer));
            answer(stream).await;
        };
        let (found, ()) = tokio::join!(probe.knock(addr), opening);
        assert_eq!(found, Ok(()));
        assert!(lock(&probe.expected).is_empty());
    }

    #[tokio::test]
    async fn silence_has_two_names() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let probe = Probe::default();
        assert_eq!(probe.knock(addr).await, Err(Silence::Unanswered));
        let (_, peer) = listener.accept().await.unwrap();
        assert!(probe.expects(peer), "a late one is known too");
        drop(listener);
        assert_eq!(probe.knock(addr).await, Err(Silence::Refused));
    }

    #[test]
    fn every_address_is_reachable() {
        for (port, expected) in [("0.0.0.0:7", "127.0.0.1:7"), ("[::]:7", "[::1]:7"), ("10.0.0.1:7", "10.0.0.1:7")] {
            assert_eq!(reachable(port.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
