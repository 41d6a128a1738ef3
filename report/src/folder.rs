//! A take's folder: reads what the report is made of, writes the report beside it. The one part that touches the disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use syncslate_shared::files::{Base, Kind};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol;
use syncslate_shared::take::TakeId;
use syncslate_slate::model::{self, Light};

use crate::fleet::{NodeInput, report};
use crate::limits::Limits;
use crate::model::{Report, Source, VERSION};
use crate::names::{self, Form};
use crate::page;
use crate::table::Table;

/// No manifest of ours is longer.
const LONGEST_MANIFEST: u64 = 64 << 20;

/// The manifests and frame tables of the take in `folder` (`<ip>/<base>_take.json` and so on), by name.
pub fn sources(folder: &Path, id: &TakeId) -> Vec<Source> {
    let mut found = Vec::new();
    for ip in nodes(folder, id) {
        let files =
            [Kind::Manifest, Kind::Frames].map(|kind| format!("{ip}/{}", Base { id: id.clone(), ip }.file(kind)));
        found.extend(files.into_iter().filter_map(|file| source(folder, file)));
    }
    found.sort();
    found
}

/// A file below `folder` as it is now; `None` when it is not there.
pub fn source(folder: &Path, file: String) -> Option<Source> {
    let meta = fs::metadata(folder.join(&file)).ok().filter(fs::Metadata::is_file)?;
    let modified = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Some(Source { file, bytes: meta.len(), modified_ms: u64::try_from(modified.as_millis()).unwrap_or(u64::MAX) })
}

/// The nodes that have any file of the take here, in order.
pub fn nodes(folder: &Path, id: &TakeId) -> Vec<Ipv4Addr> {
    let mut nodes = Vec::new();
    for node in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(ip) = node.file_name().to_str().and_then(|ip| ip.parse::<Ipv4Addr>().ok()) else { continue };
        let files = fs::read_dir(node.path()).into_iter().flatten().flatten();
        let ours = |file: fs::DirEntry| {
            let base = file.file_name().to_str().and_then(Base::parse);
            base.is_some_and(|(base, _)| base.ip == ip && base.id == *id)
        };
        if files.into_iter().any(ours) {
            nodes.push(ip);
        }
    }
    nodes.sort_unstable();
    nodes
}

/// Reads the take's files and makes its report.
///
/// # Errors
/// There is no manifest that can be read.
pub fn make(folder: &Path, id: &TakeId, limits: &Limits) -> Result<Report, String> {
    // Looked at before they are read: what changes meanwhile makes the report out of date, not wrong for ever.
    let sources = sources(folder, id);
    let inputs = nodes(folder, id).into_iter().map(|ip| read_node(folder, id, ip)).collect::<Vec<_>>();
    if inputs.is_empty() {
        return Err(format!("there is no file of the take {id} in {}", folder.display()));
    }
    let name = folder.file_name().map_or_else(|| id.name.to_string(), |name| name.to_string_lossy().into_owned());
    report(&name, id, inputs, sources, limits)
}

fn read_node(folder: &Path, id: &TakeId, ip: Ipv4Addr) -> NodeInput {
    let base = Base { id: id.clone(), ip };
    let table = folder.join(ip.to_string()).join(base.file(Kind::Frames));
    NodeInput {
        ip,
        manifest: manifest(folder, id, ip).and_then(|found| found.ok_or_else(|| "its manifest is not here".into())),
        table: match File::open(&table).and_then(Table::read) {
            Ok(table) => Some(Ok(table)),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => Some(Err(format!("cannot read {}: {e}", table.display()))),
        },
    }
}

/// Reads the manifest of `ip`'s part of the take in `folder`; `None` when it is not here.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn manifest(folder: &Path, id: &TakeId, ip: Ipv4Addr) -> Result<Option<Manifest>, String> {
    let path = folder.join(ip.to_string()).join(Base { id: id.clone(), ip }.file(Kind::Manifest));
    let failed = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    let file = match File::open(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut json = Vec::new();
    file.take(LONGEST_MANIFEST).read_to_end(&mut json).map_err(failed)?;
    protocol::read(&json).map(Some).map_err(|e| format!("the manifest {} is damaged: {e}", path.display()))
}

/// Reads the report of the take that lies in `folder`; `None` when there is none, or of another version.
pub fn read(folder: &Path, id: &TakeId) -> Option<Report> {
    let json = fs::read(folder.join(names::file(id, Form::Json))).ok()?;
    serde_json::from_slice::<Report>(&json).ok().filter(|report| report.v == VERSION)
}

/// Reads the take's report; `None` unless it is made of the files that are here now.
pub fn fresh(folder: &Path, id: &TakeId) -> Option<Report> {
    read(folder, id).filter(|report| report.sources == sources(folder, id))
}

/// Reads what light said of the take's stamps; `None` when nobody looked, or a version of another kind did.
pub fn read_light(folder: &Path, id: &TakeId) -> Option<Light> {
    let json = fs::read(folder.join(model::file(id))).ok()?;
    serde_json::from_slice::<Light>(&json).ok().filter(|light| light.v == model::VERSION && light.id == *id)
}

/// Writes what light said of a take's stamps, and the page of its report anew, where it stands.
///
/// # Errors
/// They cannot be written.
pub fn write_light(folder: &Path, light: &Light) -> Result<(), String> {
    let mut json = serde_json::to_vec(light).map_err(|e| format!("the light of {} is no JSON: {e}", light.id))?;
    json.push(b'\n');
    replace(folder, &model::file(&light.id), &json)?;
    match read(folder, &light.id) {
        Some(report) => write(folder, &report),
        None => Ok(()),
    }
}

/// Writes both forms of a report, each whole or not at all. The JSON comes last: who sees it finds the page, too. What
/// light said of the take, if anybody looked, stands on the page.
///
/// # Errors
/// They cannot be written.
pub fn write(folder: &Path, report: &Report) -> Result<(), String> {
    let html = page::lit(report, read_light(folder, &report.id).as_ref());
    replace(folder, &names::file(&report.id, Form::Html), html.as_bytes())?;
    let mut json = serde_json::to_vec(report).map_err(|e| format!("the report of {} is no JSON: {e}", report.id))?;
    json.push(b'\n');
    replace(folder, &names::file(&report.id, Form::Json), &json)
}

fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), String> {
    let run = || {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        // Of a report that the power took a new one is made, but half a file must never bear its name.
        file.as_file().sync_data()?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(folder.join(name)).map_err(|e| e.error)?;
        Ok(())
    };
    run().map_err(|e: std::io::Error| format!("cannot write {}: {e}", folder.join(name).display()))
}
