//! A cable between a node and the broker that can be cut and joined, or made bad.
//!
//! It works on what TCP carries: a packet that gets lost shows to programs as a pause of a retransmission (200 ms, twice
//! that when the second one is lost too) in which everything behind it waits. That is what is made here.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::process::now;

/// After so long a lost packet is sent again: what Linux takes at least.
const RETRANSMIT: Duration = Duration::from_millis(200);

/// The cable.
#[derive(Clone, Debug)]
pub struct Cable {
    addr: SocketAddr,
    cut: Arc<AtomicBool>,
    /// Milliseconds that everything takes, each way.
    delay_ms: Arc<AtomicU64>,
    /// Of a hundred packets so many get lost.
    loss_percent: Arc<AtomicU64>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    /// A cable to `port` on loopback.
    ///
    /// # Panics
    /// When no port is free.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cable = Self {
            addr: listener.local_addr().unwrap(),
            cut: Arc::default(),
            delay_ms: Arc::default(),
            loss_percent: Arc::default(),
            streams: Arc::default(),
        };
        let own = cable.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                own.serve(client, port);
            }
        });
        cable
    }

    /// Where it begins.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Cuts it: what is open is closed, what comes is refused.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Joins it again.
    pub fn join(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }

    /// From now on everything takes `delay_ms` each way, and of a hundred packets `loss_percent` get lost.
    pub fn worsen(&self, delay_ms: u64, loss_percent: u64) {
        self.delay_ms.store(delay_ms, Ordering::SeqCst);
        self.loss_percent.store(loss_percent, Ordering::SeqCst);
    }

    /// When a packet that is sent now arrives, if nothing before it arrives later.
    fn arrival(&self, dice: &mut Dice) -> Instant {
        let mut late = Duration::from_millis(self.delay_ms.load(Ordering::SeqCst));
        let mut again = RETRANSMIT;
        while dice.below(100) < self.loss_percent.load(Ordering::SeqCst) {
            late += again;
            again *= 2;
        }
        now() + late
    }

    fn serve(&self, client: TcpStream, port: u16) {
        if self.cut.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let mut streams = self.streams.lock().unwrap();
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let own = self.clone();
            std::thread::spawn(move || own.copy(from, to));
        }
        streams.push(client);
        streams.push(server);
    }

    fn copy(&self, mut from: TcpStream, to: TcpStream) {
        let (send, packets) = mpsc::channel();
        std::thread::spawn(move || deliver(&packets, to));
        let mut dice = Dice::seeded(u64::from(self.addr.port()));
        let mut buffer = vec![0; 1460];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if send.send((self.arrival(&mut dice), buffer[..n].to_vec())).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Read);
    }
}

fn deliver(packets: &mpsc::Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (at, bytes) in packets {
        std::thread::sleep(at.saturating_duration_since(now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
