//! `verify`: finds the slate in a take's footage and puts its light beside the frames' stamps. It reads what has arrived
//! and writes `<id>_light.json` beside it, and the sync report's page anew; it changes nothing else.
//!
//! Pictures come from ffmpeg, one per line of the frame table, as plain luma; what they show is found by
//! `syncslate_slate`.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, stream};
use syncslate_report::{Limits, folder};
use syncslate_shared::camera::Key;
use syncslate_shared::files::{Base, FrameRow, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::CameraReport;
use syncslate_shared::report::Failure;
use syncslate_shared::take::{Stamp, TakeId, TakeName};
use syncslate_shared::time::Wall;
use syncslate_slate::compare::Camera;
use syncslate_slate::model::{self, Light, Verdict};
use syncslate_slate::verdict::{self, Asked, Searched, judge};

use crate::pictures::{Reel, Wanted, search};

/// At 30 frames a second when the camera does not say.
const USUAL_FPS: f64 = 30.0;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Seconds from the begin of the take, and up to its end, that are searched; `None` for all.
    pub window_s: Option<f64>,
    /// How many cameras are searched at once.
    pub parallel: usize,
}

impl Scope {
    /// So much of begin and end is searched unless more is asked for.
    pub const USUAL_S: f64 = 60.0;
}

/// Searches one take, whose files lie in `folder`, and writes what came of it beside them.
///
/// # Errors
/// There is no footage of the take, ffmpeg cannot be started, or the file cannot be written.
pub async fn verify(folder: &Path, id: &TakeId, scope: Scope, limits: &Limits, now: Wall) -> Result<Light, Failure> {
    let nodes = nodes(folder, id)?;
    let claims = claims(folder, id, limits).await;
    let work = nodes.into_iter().map(|ip| node(folder, id, ip, scope.window_s));
    let mut searched: Vec<Searched> = stream::iter(work)
        .buffer_unordered(scope.parallel.max(1))
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    searched.sort_by_key(|one| one.camera.ip);
    for one in &mut searched {
        one.claim_us = claims.iter().find(|(ip, _)| *ip == one.camera.ip).and_then(|(_, claim)| *claim);
    }
    let asked = Asked {
        id: id.clone(),
        at: now,
        version: env!("CARGO_PKG_VERSION").into(),
        window_s: scope.window_s,
        limits: verdict::Limits {
            doubtful_us: limits.amber_uncertainty_ms * 1000.0,
            differs_us: limits.red_uncertainty_ms * 1000.0,
        },
    };
    let light = judge(asked, &searched);
    let (folder, written) = (folder.to_owned(), light.clone());
    let work = move || folder::write_light(&folder, &written);
    tokio::task::spawn_blocking(work).await.map_err(|e| Failure::new(e.to_string()))?.map_err(Failure::new)?;
    Ok(light)
}

/// The nodes whose manifest is here.
fn nodes(folder: &Path, id: &TakeId) -> Result<Vec<Ipv4Addr>, Failure> {
    let entries =
        std::fs::read_dir(folder).map_err(|e| Failure::new(format!("cannot read {}: {e}", folder.display())))?;
    let ips = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<Ipv4Addr>().ok());
    let mut nodes: Vec<_> = ips.filter(|ip| path(folder, id, *ip, Kind::Manifest).is_file()).collect();
    nodes.sort();
    if nodes.is_empty() {
        return Err(Failure::new(format!("there is no manifest of the take {id} in {}", folder.display()))
            .hint("download the take first"));
    }
    Ok(nodes)
}

fn path(folder: &Path, id: &TakeId, ip: Ipv4Addr, kind: Kind) -> PathBuf {
    folder.join(ip.to_string()).join(Base { id: id.clone(), ip }.file(kind))
}

/// How far each node's stamps may be from the true time by the sync report: its clock's bound and what the source of its
/// stamps is true to.
async fn claims(folder: &Path, id: &TakeId, limits: &Limits) -> Vec<(Ipv4Addr, Option<f64>)> {
    let (folder, id, limits) = (folder.to_owned(), id.clone(), *limits);
    // Files that have just arrived may not be in the report that lies there.
    let work = move || folder::fresh(&folder, &id).or_else(|| folder::make(&folder, &id, &limits).ok());
    let report = tokio::task::spawn_blocking(work).await.ok().flatten();
    let claim = |node: &syncslate_report::model::Node| Some((node.clock.bound_us? + node.stamp_error_us?) as f64);
    report.iter().flat_map(|report| &report.nodes).map(|node| (node.ip, claim(node))).collect()
}

async fn node(folder: &Path, id: &TakeId, ip: Ipv4Addr, window_s: Option<f64>) -> Result<Searched, Failure> {
    let mut searched = Searched {
        name: ip.to_string(),
        pictures: 0,
        claim_us: None,
        problem: String::new(),
        camera: Camera { ip, sensor: String::new(), period_us: 1e6 / USUAL_FPS, exposure_us: None, seen: Vec::new() },
    };
    let (manifest, rows) = match papers(folder, id, ip).await {
        Ok(papers) => papers,
        Err(problem) => return Ok(Searched { problem, ..searched }),
    };
    searched.name.clone_from(&manifest.name);
    let camera = manifest.camera.as_ref();
    if let Some(fps) = camera.map(|camera| camera.fps).filter(|fps| *fps > 0.0) {
        searched.camera.period_us = 1e6 / fps;
    }
    searched.camera.sensor = camera.map_or_else(String::new, sensor);
    let actual = camera.and_then(|camera| camera.actual.as_ref());
    searched.camera.exposure_us = actual.and_then(|actual| actual.number(Key::ExposureUs));
    let end = manifest.t1.or(rows.last().map(|row| row.time)).unwrap_or(manifest.t0);
    let wanted = Wanted { from: manifest.t0, to: end, window_s };
    let size = camera.map(|camera| [camera.width, camera.height]);
    for reel in Reel::of(&rows) {
        let file = path(folder, id, ip, Kind::Segment(reel.segment));
        let found = search(&file, size, &reel, &wanted).await?;
        searched.pictures += found.pictures;
        searched.camera.seen.extend(found.seen);
        if let Some(problem) = found.problem.filter(|_| searched.problem.is_empty()) {
            searched.problem = problem;
        }
    }
    tracing::info!(
        "{}: the slate is in {} of {} pictures",
        searched.name,
        searched.camera.seen.len(),
        searched.pictures
    );
    Ok(searched)
}

/// What decides how long a sensor's rows are read.
fn sensor(camera: &CameraReport) -> String {
    let CameraReport { kind, model, width, height, fps, .. } = camera;
    format!("{kind} {} {width}x{height} {fps}", model.as_deref().unwrap_or_default())
}

async fn papers(folder: &Path, id: &TakeId, ip: Ipv4Addr) -> Result<(Manifest, Vec<FrameRow>), String> {
    let (table, folder, id) = (path(folder, id, ip, Kind::Frames), folder.to_owned(), id.clone());
    let read = move || {
        let manifest = folder::manifest(&folder, &id, ip)?.ok_or("its manifest is not here")?;
        let text = std::fs::read_to_string(&table).map_err(|e| format!("cannot read {}: {e}", table.display()))?;
        let rows = FrameRow::parse_table(&text).map_err(|e| format!("its frame table is damaged: {e}"))?;
        Ok((manifest, rows))
    };
    tokio::task::spawn_blocking(read).await.map_err(|e| e.to_string())?
}

/// `syncslate-controller verify`: searches the takes of this name, or the one with this stamp, prints a table to `out` and
/// gives the verdict that weighs most.
///
/// # Errors
/// There is no such take here, no slate was found, or it could not be looked for.
pub async fn tell(
    downloads: &Path,
    (take, stamp): (&TakeName, Option<&Stamp>),
    scope: Scope,
    limits: &Limits,
    now: Wall,
    out: &mut impl Write,
) -> Result<Verdict, Failure> {
    let ids = crate::shelf::chosen(downloads, take, stamp)?;
    let folder = downloads.join(take.as_str());
    let mut worst = Verdict::Agrees;
    for id in &ids {
        let light = verify(&folder, id, scope, limits, now).await?;
        print(&light, &folder, out);
        if light.nodes.iter().all(|node| node.offset_us.is_none()) {
            return Err(Failure::new(light.summary).hint(light.hint));
        }
        worst = worst.max(light.verdict);
    }
    Ok(worst)
}

fn print(light: &Light, folder: &Path, out: &mut impl Write) {
    let _ = writeln!(out, "{}: {}: {}", light.id, light.verdict.word(), light.summary);
    let wide = light.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0).max(6);
    let line = |cells: [String; 7]| {
        let [name, pictures, read, offset, uncertainty, claim, verdict] = cells;
        format!("  {name:wide$}  {pictures:>8}  {read:>5}  {offset:>11}  {uncertainty:>11}  {claim:>12}  {verdict}")
    };
    let head = ["camera", "pictures", "read", "offset", "uncertainty", "stamps claim", "verdict"].map(str::to_owned);
    let _ = writeln!(out, "{}", line(head));
    for node in &light.nodes {
        let _ = writeln!(out, "{}", line(verdict::cells(node)));
    }
    if !light.hint.is_empty() {
        let _ = writeln!(out, "  {}", light.hint);
    }
    let _ = writeln!(out, "  {}", folder.join(model::file(&light.id)).display());
}
