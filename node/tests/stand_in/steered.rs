//! The stand-in's camera with `--sync client`: its exposures come earlier or later as libcamera's client asks, and
//! pictures from before it is ready are left out.

use std::collections::VecDeque;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use syncslate_node::camera::test::{SensorClocks, TestCameraArgs, run};
use syncslate_node::ivf::FileHeader;
use syncslate_shared::time::{Mono, SystemClocks};

use super::Fallible;
use super::sync_client::SyncClient;

/// What is found at a frame changes the one so many frames later.
const DELAY: usize = 3;

/// The sensor's clock: it runs ahead of the machine's by what frames were shortened.
#[derive(Default)]
struct Ahead(AtomicI64);

impl SensorClocks for Ahead {
    fn mono(&self) -> Mono {
        Mono::from_micros(SensorClocks::mono(&SystemClocks).micros() + self.0.load(Ordering::Relaxed))
    }

    fn mono_to_wall_us(&self) -> i64 {
        SystemClocks.mono_to_wall_us() - self.0.load(Ordering::Relaxed)
    }

    fn wait_until(&self, when: Mono) {
        std::thread::sleep(when.since(self.mono()));
    }
}

/// Starts the camera; gives its pictures, as IVF, from the first one that is wanted.
pub(super) fn start(camera: TestCameraArgs, port: u16) -> Fallible<PipeReader> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nonblocking(true)?;
    let clock = Arc::new(Ahead::default());
    let (from_sensor, sensor) = std::io::pipe()?;
    let (pictures, wanted) = std::io::pipe()?;
    let (clocks, client) = (Arc::clone(&clock), SyncClient::new(camera.fps));
    std::thread::spawn(move || run(&camera, sensor, &*clocks));
    std::thread::spawn(move || gate(from_sensor, wanted, &socket, client, &clock));
    Ok(pictures)
}

fn gate(
    mut from: PipeReader,
    mut to: PipeWriter,
    socket: &UdpSocket,
    mut client: SyncClient,
    clock: &Ahead,
) -> Fallible<()> {
    let mut header = [0; 32];
    from.read_exact(&mut header)?;
    to.write_all(&header)?;
    let header = FileHeader::parse(&header)?;
    let mut picture = vec![0; header.picture_bytes()];
    let mut queue = VecDeque::from([0; DELAY]);
    // What came before the first frame is stale.
    packets(socket);
    loop {
        let mut frame = [0; 12];
        from.read_exact(&mut frame)?;
        from.read_exact(&mut picture)?;
        let verdict = client.frame(header.parse_frame(&frame)?.time.micros(), &packets(socket));
        queue.push_back(verdict.shorten_us);
        clock.0.fetch_add(queue.pop_front().unwrap_or(0), Ordering::Relaxed);
        if verdict.ready {
            to.write_all(&frame)?;
            to.write_all(&picture)?;
        }
    }
}

fn packets(socket: &UdpSocket) -> Vec<[u8; 40]> {
    let mut packet = [0; 40];
    let next = || socket.recv(&mut packet).ok().filter(|length| *length == 40).map(|_| packet);
    std::iter::from_fn(next).collect()
}
