//! The child that makes pictures of key frames, and who keeps it running.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use syncslate_shared::child::Program;
use syncslate_shared::preview::Width;
use syncslate_shared::time::{Clocks as _, SystemClocks};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Show;
use super::jpeg::Splitter;
use crate::supervisor::Backoff;

/// A NAL unit that begins the next picture (H.264, 7.3.2.4): behind it the child knows that the one before is whole,
/// half a second before the next one comes.
const DELIMITER: [u8; 6] = [0, 0, 0, 1, 9, 0x10];
/// A child that does not take a picture for so long hangs.
const STUCK: Duration = Duration::from_secs(10);
/// How long a child that ended gets to say why.
const EVIDENCE: Duration = Duration::from_millis(300);

/// Makes pictures until it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    width: Width,
    /// Holds the newest key frame alone.
    units: watch::Sender<Option<Bytes>>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts it. Must be called within a tokio runtime.
    pub(super) fn start(width: Width, show: Show) -> Self {
        let (units, newest) = watch::channel(None);
        Self { width, units, task: tokio::spawn(keep_on(width, newest, show)) }
    }

    /// How wide its pictures are.
    pub(super) fn width(&self) -> Width {
        self.width
    }

    /// Gives it a key frame in the place of one that it has not come to.
    pub(super) fn give(&self, unit: Bytes) {
        self.units.send_replace(Some(unit));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The child dies with the task.
        self.task.abort();
    }
}

async fn keep_on(width: Width, mut units: watch::Receiver<Option<Bytes>>, show: Show) {
    let (clocks, mut backoff, mut said) = (SystemClocks, Backoff::new(), false);
    loop {
        backoff.on_start(clocks.mono());
        // A child that is new gets the newest picture, also one that the child before it had.
        units.mark_changed();
        let why = run_once(width, &mut units, &show).await;
        if !std::mem::replace(&mut said, true) {
            tracing::warn!("live pictures broke off and are begun again: {why}");
        }
        tokio::time::sleep(backoff.on_end(clocks.mono())).await;
    }
}

/// Runs a child to its end; gives why it ended.
async fn run_once(width: Width, units: &mut watch::Receiver<Option<Bytes>>, show: &Show) -> String {
    let program = Program::new("nice").args(["-n", "19", "ffmpeg"]).args(arguments(width));
    let mut child = match program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(why) => return why,
    };
    let (Some(stdin), Some(stdout)) = (child.take_stdin(), child.take_stdout()) else {
        return "its streams are missing".into();
    };
    let why = tokio::select! {
        why = feed(stdin, units) => why,
        why = read(stdout, show) => why,
    };
    match tokio::time::timeout(EVIDENCE, child.wait()).await {
        Ok(ended) => ended.to_string(),
        Err(_) => why,
    }
}

fn arguments(width: Width) -> Vec<String> {
    let mut args: Vec<String> = "-nostdin -hide_banner -loglevel error -probesize 32 -analyzeduration 0 -flags low_delay -threads 1 -f h264 -i pipe:0 -map 0:v -fps_mode passthrough"
        .split(' ')
        .map(str::to_owned)
        .collect();
    if let Width::AtMost(pixels) = width {
        args.extend(["-vf".into(), format!("scale=w='min(iw,{pixels})':h=-2:flags=area")]);
    }
    let coded = "-c:v mjpeg -threads 1 -q:v 5 -f image2pipe -flush_packets 1 pipe:1";
    args.extend(coded.split(' ').map(str::to_owned));
    args
}

async fn feed(mut stdin: impl AsyncWrite + Unpin, units: &mut watch::Receiver<Option<Bytes>>) -> String {
    while units.changed().await.is_ok() {
        let Some(unit) = units.borrow_and_update().clone() else { continue };
        let write = async {
            stdin.write_all(&unit).await?;
            stdin.write_all(&DELIMITER).await?;
            stdin.flush().await
        };
        match tokio::time::timeout(STUCK, write).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return format!("the child takes no more pictures: {e}"),
            Err(_) => return format!("the child took no picture for {} s", STUCK.as_secs()),
        }
    }
    "nobody looks any more".into()
}

async fn read(mut stdout: impl AsyncRead + Unpin, show: &Show) -> String {
    let mut splitter = Splitter::default();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match stdout.read(&mut piece).await {
            Ok(0) => return "the child wrote no more".into(),
            Ok(length) => match splitter.push(piece.get(..length).unwrap_or_default()) {
                Ok(pictures) => pictures.into_iter().for_each(|picture| show(picture)),
                Err(why) => return why,
            },
            Err(e) => return format!("the child's pictures cannot be read: {e}"),
        }
    }
}
