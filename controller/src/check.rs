//! `syncslate-controller check`: reads every file of the downloads folder again and compares it with what was proven:
//! the ledger, the nodes' digest lists, the manifests. It changes nothing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use syncslate_shared::files::{Base, Kind, parse_digests};
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::read;
use syncslate_shared::report::Failure;
use syncslate_shared::take::TakeName;

use crate::digest;
use crate::homes;
use crate::ledger::{self, Ledger};
use crate::size::Size;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that are what they were.
    pub sound: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What differs: the file, what was expected, what was found.
    pub different: Vec<String>,
    /// Files of ours that nothing is known of to compare them with.
    pub unproven: Vec<String>,
    /// Files that are not ours: left alone.
    pub foreign: Vec<String>,
}

/// What a file should be.
#[derive(Clone, Debug)]
struct Expected {
    bytes: Option<u64>,
    sha256: String,
    /// Who says so.
    by: &'static str,
}

type Expectations = BTreeMap<(Ipv4Addr, String), Expected>;

/// Checks `take`, or all takes, and writes what differs to `out` as it is found.
///
/// # Errors
/// There is no such take, or the folder cannot be read.
pub fn check(downloads: &Path, take: Option<&TakeName>, out: &mut impl Write) -> Result<Report, Failure> {
    let names = match take {
        Some(name) if downloads.join(name.as_str()).is_dir() => vec![name.clone()],
        Some(name) => {
            return Err(Failure::new(format!("there is no take {name} in {}", downloads.display())));
        }
        None => takes(downloads)?,
    };
    let mut report = Report::default();
    for name in &names {
        check_take(&downloads.join(name.as_str()), name, &mut report, out);
    }
    let _ = writeln!(
        out,
        "{} takes: {} files, {} are what they were; {} differ, {} have nothing to be compared with, {} are not ours",
        names.len(),
        report.sound,
        Size(report.bytes),
        report.different.len(),
        report.unproven.len(),
        report.foreign.len(),
    );
    Ok(report)
}

/// The takes in the folder, by name.
fn takes(downloads: &Path) -> Result<Vec<TakeName>, Failure> {
    let entries = fs::read_dir(downloads)
        .map_err(|e| Failure::new(format!("cannot read the downloads folder {}: {e}", downloads.display())))?;
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.filter_map(|entry| TakeName::new(entry.file_name().to_str()?).ok()).collect();
    names.sort();
    Ok(names)
}

fn check_take(folder: &Path, name: &TakeName, report: &mut Report, out: &mut impl Write) {
    let mut differs = |report: &mut Report, line: String| {
        let _ = writeln!(out, "DIFFERS   {name}/{line}");
        report.different.push(format!("{name}/{line}"));
    };
    let ledger = Ledger::read(folder).unwrap_or_else(|e| {
        differs(report, format!("{}: expected a ledger, found: {e}", ledger::FILE));
        Ledger::default()
    });
    for line in &ledger.damaged {
        differs(report, format!("{}: expected a record in line {line}, found what cannot be read", ledger::FILE));
    }
    let found = files(folder, name, report);
    let mut expected = expectations(folder, &ledger, &found);
    for ((ip, file), path) in &found {
        let Some(expected) = expected.remove(&(*ip, file.clone())) else {
            report.unproven.push(format!("{name}/{ip}/{file}"));
            continue;
        };
        match compare(path, &expected) {
            Ok(bytes) => {
                report.sound += 1;
                report.bytes += bytes;
            }
            Err(found) => differs(report, format!("{ip}/{file}: expected {}, found {found}", expected.told())),
        }
    }
    for ((ip, file), expected) in expected {
        differs(report, format!("{ip}/{file}: expected {}, found no file", expected.told()));
    }
    for line in report.unproven.iter().filter(|line| line.starts_with(&format!("{name}/"))) {
        let _ = writeln!(out, "unproven  {line}");
    }
}

impl Expected {
    fn told(&self) -> String {
        let bytes = self.bytes.map(|bytes| format!("{bytes} bytes with ")).unwrap_or_default();
        format!("{bytes}the SHA-256 {} ({})", self.sha256, self.by)
    }
}

fn compare(path: &Path, expected: &Expected) -> Result<u64, String> {
    let length = fs::metadata(path).map_err(|e| e.to_string())?.len();
    if expected.bytes.is_some_and(|bytes| bytes != length) {
        return Err(format!("{length} bytes"));
    }
    let found = digest::hash(path).map_err(|e| format!("what cannot be read: {e}"))?;
    if found == expected.sha256 { Ok(length) } else { Err(format!("the SHA-256 {found}")) }
}

/// Our files in the take's folder; what is not ours is named in the report.
fn files(folder: &Path, name: &TakeName, report: &mut Report) -> BTreeMap<(Ipv4Addr, String), PathBuf> {
    let mut found = BTreeMap::new();
    let guests = folder.parent().map(|downloads| homes::guests(downloads, name.as_str())).unwrap_or_default();
    for node in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(ip) = node.file_name().to_str().and_then(|ip| ip.parse::<Ipv4Addr>().ok()) else {
            if !is_ours_beside(&node.file_name()) {
                report.foreign.push(format!("{name}/{}", node.file_name().display()));
            }
            continue;
        };
        for entry in fs::read_dir(node.path()).into_iter().flatten().flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            match Base::parse(&file) {
                Some((base, _)) if base.ip == ip && (base.id.name == *name || guests.contains(&base.id)) => {
                    found.insert((ip, file), entry.path());
                }
                _ => report.foreign.push(format!("{name}/{ip}/{file}")),
            }
        }
    }
    found
}

/// What the controller itself writes beside the nodes' folders. Reports are made anew when they are missing.
fn is_ours_beside(file: &OsStr) -> bool {
    let report = file.to_str().and_then(syncslate_report::names::parse);
    let light = file.to_str().and_then(syncslate_slate::model::parse);
    let ours = [ledger::FILE, homes::FILE, syncslate_export::names::FOLDER];
    ours.iter().any(|ours| file == *ours) || report.is_some() || light.is_some()
}

/// What each file should be: by the ledger, else by the node's digests, else by its manifest.
fn expectations(folder: &Path, ledger: &Ledger, found: &BTreeMap<(Ipv4Addr, String), PathBuf>) -> Expectations {
    let mut expected = Expectations::new();
    for record in ledger.records() {
        let entry = Expected { bytes: Some(record.bytes), sha256: record.sha256.clone(), by: "the ledger" };
        expected.insert((record.ip, record.file.clone()), entry);
    }
    for (ip, file) in found.keys() {
        let Some((base, kind)) = Base::parse(file) else { continue };
        let path = folder.join(ip.to_string()).join(file);
        let lines: Vec<(String, Expected)> = match kind {
            Kind::Digests => parse_digests(&fs::read_to_string(path).unwrap_or_default())
                .into_iter()
                .map(|(file, sha256)| (file, Expected { bytes: None, sha256, by: "the node's list" }))
                .collect(),
            Kind::Manifest => {
                let manifest = fs::read(path).map_err(|e| e.to_string()).and_then(|json| read::<Manifest>(&json));
                let segments = manifest.map(|manifest| manifest.segments).unwrap_or_default().into_iter();
                segments
                    .map(|s| (s.file, Expected { bytes: Some(s.bytes), sha256: s.sha256, by: "the node's manifest" }))
                    .collect()
            }
            _ => Vec::new(),
        };
        for (file, entry) in lines {
            if Base::parse(&file).is_some_and(|(of, _)| of == base) {
                expected.entry((*ip, file)).or_insert(entry);
            }
        }
    }
    expected
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
