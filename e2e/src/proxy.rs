//! A cable between a node and the broker that can be cut and joined.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The cable.
#[derive(Clone, Debug)]
pub struct Cable {
    addr: SocketAddr,
    cut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    /// A cable to `port` on loopback.
    ///
    /// # Panics
    /// When no port is free.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cable = Self { addr: listener.local_addr().unwrap(), cut: Arc::default(), streams: Arc::default() };
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

    fn serve(&self, client: TcpStream, port: u16) {
        if self.cut.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let mut streams = self.streams.lock().unwrap();
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            std::thread::spawn(move || copy(from, to));
        }
        streams.push(client);
        streams.push(server);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
