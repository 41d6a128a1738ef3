//! The two FIFOs that `rpicam-vid` writes to, read without a thread, and the pictures that come out of them.

use syncslate_shared::time::SystemClocks;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

use super::arguments::Paths;
use super::pairing::Pairing;
use crate::camera::{CameraEvent, Sink};
use crate::fifo::Fifo;

/// Both streams and their folder, which goes with them.
pub(super) struct Streams {
    stream: Source,
    metadata: Source,
    pairing: Pairing,
    /// Whether a picture was sent.
    began: bool,
    _folder: tempfile::TempDir,
}

struct Source {
    fifo: Fifo,
    receiver: Receiver,
    buffer: Vec<u8>,
    open: bool,
}

impl Streams {
    /// Makes the FIFOs in a folder of this user's own.
    pub(super) fn create() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let stream = Source::create(&folder, "cam.h264")?;
        let metadata = Source::create(&folder, "metadata.txt")?;
        Ok(Self { stream, metadata, pairing: Pairing::default(), began: false, _folder: folder })
    }

    pub(super) fn paths(&self) -> Paths {
        Paths { stream: self.stream.fifo.shown(), metadata: self.metadata.fifo.shown() }
    }

    /// Sends pictures until the first one was sent, or the camera closes one of its outputs.
    pub(super) async fn until_first(&mut self, sink: &Sink) -> Result<(), String> {
        while self.stream.open && self.metadata.open && !self.began {
            self.step(sink).await?;
        }
        Ok(())
    }

    /// Sends pictures until the camera closes one of its outputs. May be dropped half-way: nothing is lost by it.
    pub(super) async fn until_one_ends(&mut self, sink: &Sink) -> Result<(), String> {
        while self.stream.open && self.metadata.open {
            self.step(sink).await?;
        }
        Ok(())
    }

    /// Sends what is left, once the camera has ended.
    pub(super) async fn until_both_end(&mut self, sink: &Sink) -> Result<(), String> {
        self.stream.fifo.release();
        self.metadata.fifo.release();
        while self.stream.open || self.metadata.open {
            self.step(sink).await?;
        }
        self.pairing.end_of_stream();
        self.send(sink).await
    }

    /// Takes a piece of either stream and sends the pictures that it completes.
    async fn step(&mut self, sink: &Sink) -> Result<(), String> {
        self.send(sink).await?;
        let Self { stream, metadata, pairing, .. } = self;
        tokio::select! {
            bytes = stream.read(), if stream.open => pairing.stream(bytes?),
            bytes = metadata.read(), if metadata.open => {
                pairing.metadata(bytes?, || SystemClocks.boottime_to_wall_us())
            }
        }
    }

    async fn send(&mut self, sink: &Sink) -> Result<(), String> {
        loop {
            // The place first: a picture that was taken out and then not sent would be lost.
            let place = sink.reserve().await.map_err(|_| "the node ends".to_owned())?;
            if let Some(set) = self.pairing.news() {
                place.send(CameraEvent::Set(set));
                continue;
            }
            let Some(unit) = self.pairing.next() else { return Ok(()) };
            place.send(CameraEvent::Unit(unit));
            self.began = true;
        }
    }
}

impl Source {
    fn create(folder: &tempfile::TempDir, name: &str) -> Result<Self, String> {
        let mut fifo = Fifo::create(&folder.path().join(name))?;
        let receiver =
            Receiver::from_file(fifo.take_reader()?).map_err(|e| format!("cannot read {}: {e}", fifo.shown()))?;
        Ok(Self { fifo, receiver, buffer: vec![0; 64 * 1024], open: true })
    }

    /// The next bytes; none at the end.
    async fn read(&mut self) -> Result<&[u8], String> {
        let length = self
            .receiver
            .read(&mut self.buffer)
            .await
            .map_err(|e| format!("cannot read {}: {e}", self.fifo.shown()))?;
        // The camera has opened it: from now on its end is the camera's.
        self.fifo.release();
        self.open = length > 0;
        self.buffer.get(..length).ok_or_else(|| "a pipe gave more than it was asked for".to_owned())
    }
}
