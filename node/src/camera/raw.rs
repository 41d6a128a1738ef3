//! Cameras whose pictures come raw: a child that writes IVF into a pipe, which the encoder reads.

use std::any::Any;
use std::io::PipeReader;

use syncslate_shared::child::{Child, Program};
use syncslate_shared::manifest::StampSource;

use super::CameraEnd;

/// So much of a picture may wait in the pipe (640x360 pictures are 346 kB); the default 64 kB would wake writer and
/// reader a dozen times a picture.
const PIPE_BYTES: usize = 1 << 20;

/// A camera that runs and writes raw pictures.
pub struct RawCamera {
    /// The program that takes the pictures.
    pub child: Child,
    /// The IVF stream. It ends when the camera does; reading blocks.
    pub ivf: PipeReader,
    /// What the camera calls itself.
    pub model: Option<String>,
    /// Where its stamps come from.
    pub stamps: StampSource,
    /// What must live as long as the camera: FIFOs, folders.
    pub keep: Vec<Box<dyn Any + Send>>,
}

/// Starts a program that writes IVF with stamps of its own to its standard output.
///
/// # Errors
/// It could not be started.
pub fn start(program: Program, model: Option<String>) -> Result<RawCamera, CameraEnd> {
    let (ivf, stdout) = ivf_pipe()?;
    // Both ends close on exec, but for the one that becomes the child's standard output: the child never holds the
    // reading end, so it gets EPIPE when we are gone.
    let child = program.stdout(stdout).spawn().map_err(CameraEnd::not_found)?;
    Ok(RawCamera { child, ivf, model, stamps: StampSource::Sensor, keep: Vec::new() })
}

/// A pipe with room for pictures.
pub(super) fn ivf_pipe() -> Result<(PipeReader, std::io::PipeWriter), CameraEnd> {
    let (ivf, stdout) =
        std::io::pipe().map_err(|e| CameraEnd::exited(format!("cannot make a pipe for the camera: {e}")))?;
    // Refused where pipes of all users together are too large: slower, not worse.
    let _ = rustix::pipe::fcntl_setpipe_size(&ivf, PIPE_BYTES);
    Ok((ivf, stdout))
}
