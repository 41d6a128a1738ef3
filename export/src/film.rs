//! One camera's MP4: its samples streamed from the footage files, its header written last in front of them.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write};
use std::path::Path;

use crate::Stopped;
use crate::boxes::{Movie, Timecode};
use crate::footage::Footage;
use crate::nal::{self, Sets};
use crate::plan::{self, Span};
use crate::rate::{Rate, Zone};

/// Written at once.
const BUFFER: usize = 1 << 20;

/// What a film is made by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// From T0 to T1, of all cameras.
    pub span: Span,
    /// The camera's rate.
    pub rate: Rate,
    /// Whose time of day the timecode is.
    pub zone: Zone,
    /// The camera's reel.
    pub reel: String,
}

/// Hears how many bytes of footage were read; `false` ends the work.
pub type Tell<'a> = dyn FnMut(u64) -> bool + 'a;

/// The film of `footage`, but for the sizes of its samples, which are 0.
///
/// # Errors
/// There are no frames, or the first one cannot be decoded.
pub fn plan(footage: &Footage, look: &Look) -> Result<(Movie, Vec<String>), String> {
    let mut notes = Vec::new();
    let mut frames = footage.frames();
    let path = || footage.rows.first().map(|row| footage.path(row.segment)).unwrap_or_default();
    let Some(first) = frames.read()? else { return Err("it has no frames of the take".into()) };
    let sets = Sets::of(first).map_err(|e| format!("{}: {e}", path().display()))?;
    let times = plan::times(&footage.rows, look.span, footage.period_us).ok_or("it has no frames of the take")?;
    if times.set_back > 0 {
        notes.push(format!("its clock was set back: {} frames bear no time of their own", times.set_back));
    }
    let told = footage.manifest.camera.as_ref();
    let told = told.and_then(|camera| Some((camera.width.try_into().ok()?, camera.height.try_into().ok()?)));
    let name = footage.name();
    let movie = Movie {
        created: look.span.t0,
        title: format!("{} {name}", footage.base.id),
        name,
        size: sets.size().or(told).unwrap_or_default(),
        configuration: sets.configuration(),
        scale: times.scale,
        sizes: vec![0; times.lengths.len()],
        lengths: times.lengths,
        keys: footage.rows.iter().map(|row| row.key).collect(),
        chunk: look.rate.base(),
        edit: times.edit,
        timecode: Some(Timecode {
            rate: look.rate,
            first: look.rate.timecode(look.span.t0, look.zone),
            reel: look.reel.clone(),
        }),
    };
    Ok((movie, notes))
}

/// Writes the film of `footage` to the new file `path`; gives what is odd with it, in sentences.
///
/// # Errors
/// A file cannot be read or written, or `tell` ended the work.
pub fn write(path: &Path, footage: &Footage, look: &Look, tell: &mut Tell<'_>) -> Result<Vec<String>, Stopped> {
    let (mut movie, mut notes) = plan(footage, look)?;
    let failed = |e: std::io::Error| Stopped::from(format!("cannot write {}: {e}", path.display()));
    let mut out = BufWriter::with_capacity(BUFFER, File::create(path).map_err(failed)?);
    out.write_all(&movie.header()).map_err(failed)?;
    let (sizes, changes) = samples(footage, &mut out, tell, &failed)?;
    movie.sizes = sizes;
    if changes > 0 {
        notes.push(format!("its parameter sets change {changes} times; they stand with its key frames"));
    }
    out.seek(SeekFrom::Start(0)).map_err(failed)?;
    out.write_all(&movie.header()).map_err(failed)?;
    out.into_inner().map_err(|e| failed(e.into_error()))?.sync_all().map_err(failed)?;
    Ok(notes)
}

/// Writes all samples to `out`; gives their sizes, and how often the parameter sets change.
///
/// # Errors
/// As for [`write()`].
pub fn samples(
    footage: &Footage,
    out: &mut impl Write,
    tell: &mut Tell<'_>,
    failed: &impl Fn(std::io::Error) -> Stopped,
) -> Result<(Vec<u32>, u64), Stopped> {
    let (mut frames, mut sizes) = (footage.frames(), Vec::with_capacity(footage.rows.len()));
    let (mut sample, mut sets, mut changes) = (Vec::new(), None, 0);
    for row in &footage.rows {
        let Some(bytes) = frames.read()? else { break };
        let read = bytes.len() as u64;
        sample.clear();
        if nal::append(bytes, &mut sample) == 0 {
            let path = footage.path(row.segment);
            return Err(format!("frame {} in {} is no H.264: it has no start code", row.frame, path.display()).into());
        }
        if row.key {
            let here = Sets::of(bytes).ok();
            changes += u64::from(here.is_some() && sets.is_some() && here != sets);
            sets = here.or(sets);
        }
        out.write_all(&sample).map_err(failed)?;
        sizes.push(u32::try_from(sample.len()).unwrap_or(u32::MAX));
        if !tell(read) {
            return Err(Stopped::Asked);
        }
    }
    Ok((sizes, changes))
}
