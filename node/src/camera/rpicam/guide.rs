//! Tells the camera where the frame grid lies, twice a second, on this machine alone: the socket is bound to the loopback
//! address, from which nothing leaves for the network.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use syncslate_shared::grid::Grid;
use syncslate_shared::time::{Clocks as _, Mono, SystemClocks};

use super::sync::Server;
use crate::phase::astray;
use crate::steps::StepWatch;

/// The group that it joins when it opens its socket.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);

/// How a camera is told, and for how long it may seem not to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guidance {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// From its start to its first picture.
    pub patience: Duration,
}

impl Default for Guidance {
    /// Where libcamera's `rpi.sync` listens unless its tuning file says otherwise. It sends its first picture within its
    /// start and a second and a half.
    fn default() -> Self {
        Self { port: 10_000, patience: Duration::from_secs(12) }
    }
}

/// Sends until it is dropped. The wall clock is read for each packet, so that a clock that is set is followed with the next
/// one; set back, only once the camera can follow ([`astray`]).
pub(super) async fn guide(grid: Grid, port: u16) -> Infallible {
    let (server, to) = (Server::new(grid), SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let (mut said, mut steps, mut silent_until) = (false, StepWatch::default(), None::<Mono>);
    loop {
        let now = SystemClocks.wall();
        let wait = u64::try_from(server.next(now).since_us(now)).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(wait)).await;
        let (wall, now) = (SystemClocks.wall(), SystemClocks.mono());
        if let Some(long) = steps.look(wall, now).and_then(|us| astray(grid, us)) {
            silent_until = Some(silent_until.map_or(now, |until| until.max(now)) + long);
        }
        if silent_until.is_some_and(|until| now < until) {
            continue;
        }
        let packet = server.packet(wall).bytes();
        let sent = socket
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|socket| socket.send_to(&packet, to).map_err(|e| e.to_string()));
        // Without a word the camera runs free, which the phase tells.
        if let Err(why) = sent
            && !std::mem::replace(&mut said, true)
        {
            tracing::warn!("the camera cannot be told where the frame grid lies: {why}");
        }
    }
}

/// Whether libcamera will be able to listen: it joins a group, which takes a network with a route. Where it cannot join,
/// it sends no pictures at all.
///
/// # Errors
/// What the system says.
pub(super) fn can_listen() -> Result<(), String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    socket.join_multicast_v4(&GROUP, &Ipv4Addr::UNSPECIFIED).map_err(|e| e.to_string())
}
