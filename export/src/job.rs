//! The whole export of a take: films, timelines, markers and the contact sheet, each under a name that says unfinished
//! until it is whole. What is finished and whose files have not changed is kept. It writes into its own folder alone.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

use crate::Stopped;
use crate::conform::{self, Conformed};
use crate::encode::{self, Quality};
use crate::film::{self, Look};
use crate::footage::Footage;
use crate::formats::{fcpxml, markers, otio, xmeml};
use crate::heavy::heavy;
use crate::names::{self, Film, Product};
use crate::parts::{self, Part, size};
use crate::plan::{self, Span};
use crate::rate::{Rate, Zone};
use crate::record::{Made, Node, Record, VERSION};
use crate::sheet::{self, Still};
use crate::timeline::{Camera, Timeline, common_rate};

/// What a file is called until it is whole.
const PART: &str = ".part";
/// A frame that lies further from a mark than so many periods does not show it.
const AWAY: f64 = 1.5;
/// A program that is just being started has all our files open until it is there, a let-go lock as well.
const STARTING: Duration = Duration::from_millis(5);
const STARTS: usize = 20;

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The take's folder.
    pub folder: PathBuf,
    /// The take.
    pub id: TakeId,
    /// The folder to write into; it is made when it is not there.
    pub to: PathBuf,
    /// Whether films of a constant rate are wanted, too; the timelines show these then.
    pub conform: bool,
    /// Whether light films are wanted, too, for playing all cameras at once.
    pub proxies: bool,
    /// Whose time of day the timecodes are.
    pub zone: Zone,
    /// The take's marks.
    pub marks: Vec<Mark>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The file that is being made.
    pub file: String,
    /// Bytes of footage that are done with.
    pub done: u64,
    /// Of how many.
    pub total: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The files that are there now.
    pub files: Vec<String>,
    /// How many films were there already.
    pub kept: usize,
    /// Cameras without a film, with the reason.
    pub problems: Vec<(Ipv4Addr, String)>,
    /// What is odd and should be known.
    pub notes: Vec<(Ipv4Addr, String)>,
}

/// Does it. Must be called on a thread that may wait, within a tokio runtime. `tell` hears how far it is; `false` ends
/// the work.
///
/// # Errors
/// There is nothing of the take, the folder cannot be written, ffmpeg fails, or `tell` ended the work. A camera whose
/// files are not whole is a problem of the outcome, not an error.
pub fn run(job: &Job, tell: &mut dyn FnMut(&Progress) -> bool) -> Result<Outcome, Stopped> {
    let parts = parts::read(&job.folder, &job.id)?;
    let span = parts::span(&parts, &job.id)?;
    fs::create_dir_all(&job.to).map_err(|e| format!("cannot make the folder {}: {e}", job.to.display()))?;
    let _held = hold(&job.to)?;
    let mut work = Work::new(job, span, parts, tell);
    work.films()?;
    if job.conform {
        work.conformed()?;
    }
    if job.proxies {
        work.proxies()?;
    }
    work.papers()?;
    work.sheet()?;
    work.keep_record()?;
    work.outcome.files.push(names::file(&job.id, Product::Record));
    Ok(work.outcome)
}

/// One export at a time writes into a folder.
fn hold(folder: &Path) -> Result<File, String> {
    let lock = File::open(folder).map_err(|e| format!("cannot open {}: {e}", folder.display()))?;
    let mut tries = 1..STARTS;
    while let Err(e) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        if tries.next().is_none() {
            return Err(format!("another export writes into {} at this moment ({e})", folder.display()));
        }
        thread::sleep(STARTING);
    }
    Ok(lock)
}

struct Work<'a> {
    job: &'a Job,
    span: Span,
    rate: Rate,
    parts: Vec<Part>,
    /// The reel of each part.
    reels: Vec<String>,
    record: Record,
    outcome: Outcome,
    done: u64,
    total: u64,
    tell: &'a mut dyn FnMut(&Progress) -> bool,
}

impl<'a> Work<'a> {
    fn new(job: &'a Job, span: Span, parts: Vec<Part>, tell: &'a mut dyn FnMut(&Progress) -> bool) -> Self {
        let rates: Vec<_> = parts.iter().filter_map(|(_, part)| part.as_ref().ok()?.rate).collect();
        let rate = common_rate(&rates);
        let names: Vec<_> = parts.iter().map(|part| parts::name(&job.folder, &job.id, part)).collect();
        let reels = names::reels(names.iter().map(String::as_str));
        let bytes =
            |(_, part): &Part| part.as_ref().map_or(0, |part| part.rows.iter().map(|row| row.bytes).sum::<u64>());
        let total = parts.iter().map(bytes).sum::<u64>();
        let total = total * (1 + u64::from(job.conform) + u64::from(job.proxies));
        let node = |((ip, part), (reel, name)): (&Part, (&String, String))| Node {
            ip: *ip,
            name,
            reel: reel.clone(),
            film: None,
            proxy: None,
            notes: part.as_ref().map_or_else(|_| Vec::new(), |part| part.notes.clone()),
            problem: part.as_ref().err().cloned(),
        };
        let nodes = parts.iter().zip(reels.iter().zip(names)).map(node).collect();
        let path = job.to.join(names::file(&job.id, Product::Record));
        let before = fs::read(path).ok().and_then(|json| serde_json::from_slice::<Record>(&json).ok());
        let made = before.filter(|record| record.v == VERSION).map(|record| record.made).unwrap_or_default();
        let timecode = rate.shown(rate.timecode(span.t0, job.zone).into());
        let record = Record {
            v: VERSION,
            id: job.id.clone(),
            t0: span.t0,
            t1: span.t1,
            rate,
            timecode,
            zone: job.zone,
            conformed: job.conform,
            heavy: heavy(&parts::weights(&parts, span)),
            nodes,
            made,
        };
        let problems = parts.iter().filter_map(|(ip, part)| Some((*ip, part.as_ref().err()?.clone()))).collect();
        let noted = |(ip, part): &Part| {
            let notes = part.as_ref().map(|part| part.notes.clone()).unwrap_or_default();
            notes.into_iter().map(|note| (*ip, note)).collect::<Vec<_>>()
        };
        let notes = parts.iter().flat_map(noted).collect();
        let outcome = Outcome { problems, notes, ..Outcome::default() };
        Self { job, span, rate, parts, reels, record, outcome, done: 0, total, tell }
    }

    fn films(&mut self) -> Result<(), Stopped> {
        for (ip, part, reel) in self.usable() {
            let look = self.look(part.rate.unwrap_or(self.rate), reel.clone());
            let file = names::film(&part.base, Film::True);
            self.one(ip, &part, &file, &look, |path, tell| film::write(path, &part, &look, tell))?;
            let proxy = names::film(&part.base, Film::Proxy);
            let proxy = self.kept(&part, &proxy, &self.look(self.rate, reel)).is_some().then_some(proxy);
            self.node(ip, |node| (node.film, node.proxy) = (Some(file), proxy));
        }
        Ok(())
    }

    fn conformed(&mut self) -> Result<(), Stopped> {
        let mut list = String::from(conform::HEADER);
        for (ip, part, reel) in self.usable() {
            let look = self.look(self.rate, reel);
            let Some(chosen) = self.choose(&part) else { continue };
            let first = u64::from(look.rate.timecode(look.span.t0, look.zone));
            list += &conform::list(&part.rows, &chosen, (ip, &part.name()), |tick| look.rate.shown(first + tick));
            self.constant(ip, &part, (Film::Conformed, Quality::Editing), &look, &chosen)?;
        }
        self.put(Product::Conform, list.as_bytes())
    }

    fn proxies(&mut self) -> Result<(), Stopped> {
        for (ip, part, reel) in self.usable() {
            let look = self.look(self.rate, reel);
            let Some(chosen) = self.choose(&part) else { continue };
            let file = self.constant(ip, &part, (Film::Proxy, Quality::Light), &look, &chosen)?;
            self.node(ip, |node| node.proxy = Some(file));
        }
        Ok(())
    }

    fn constant(
        &mut self,
        ip: Ipv4Addr,
        part: &Footage,
        (film, quality): (Film, Quality),
        look: &Look,
        chosen: &Conformed,
    ) -> Result<String, Stopped> {
        let file = names::film(&part.base, film);
        self.one(ip, part, &file, look, |path, tell| {
            encode::conformed(path, part, look, chosen, quality, tell).map(|()| Vec::new())
        })?;
        Ok(file)
    }

    fn choose(&self, part: &Footage) -> Option<Conformed> {
        conform::choose(&part.rows, self.span, self.rate, part.period_us)
    }

    fn look(&self, rate: Rate, reel: String) -> Look {
        Look { span: self.span, rate, zone: self.job.zone, reel }
    }

    fn node(&mut self, ip: Ipv4Addr, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.record.nodes.iter_mut().find(|node| node.ip == ip) {
            change(node);
        }
    }

    /// The parts that can be used, with their reels.
    fn usable(&self) -> Vec<(Ipv4Addr, Arc<Footage>, String)> {
        let parts = self.parts.iter().zip(&self.reels);
        parts.filter_map(|((ip, part), reel)| Some((*ip, part.as_ref().ok()?.clone(), reel.clone()))).collect()
    }

    /// Makes one film, or keeps the one that is there.
    fn one(
        &mut self,
        ip: Ipv4Addr,
        part: &Footage,
        file: &str,
        look: &Look,
        make: impl FnOnce(&Path, &mut film::Tell<'_>) -> Result<Vec<String>, Stopped>,
    ) -> Result<(), Stopped> {
        let path = self.job.to.join(file);
        let whole = part.rows.iter().map(|row| row.bytes).sum::<u64>();
        if let Some(notes) = self.kept(part, file, look).map(|made| made.notes.clone()) {
            self.outcome.kept += 1;
            self.done += whole;
            self.finished(ip, file, &notes);
            return Ok(());
        }
        // Before the work: what changes meanwhile makes the film anew.
        let of = part.inputs();
        let unfinished = self.job.to.join(format!("{file}{PART}"));
        let (done, total) = (self.done, self.total);
        let mut progress = Progress { file: file.to_owned(), done, total };
        let mut tell = |bytes| {
            progress.done += bytes;
            (self.tell)(&progress)
        };
        let notes = match make(&unfinished, &mut tell) {
            Ok(notes) => notes,
            Err(why) => {
                let _ = fs::remove_file(&unfinished);
                return Err(why);
            }
        };
        self.done = done + whole;
        let failed = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
        fs::rename(&unfinished, &path).map_err(failed)?;
        let bytes = fs::metadata(&path).map_err(failed)?.len();
        self.record.add(Made { file: file.to_owned(), bytes, how: how(look), of, notes: notes.clone() });
        self.keep_record()?;
        self.finished(ip, file, &notes);
        Ok(())
    }

    /// The film of this name that is there already, made of the same files in the same way.
    fn kept(&self, part: &Footage, file: &str, look: &Look) -> Option<&Made> {
        let there = fs::metadata(self.job.to.join(file)).ok().filter(fs::Metadata::is_file)?.len();
        self.record.made(file, &how(look), &part.inputs()).filter(|made| made.bytes == there)
    }

    fn finished(&mut self, ip: Ipv4Addr, file: &str, notes: &[String]) {
        self.outcome.files.push(file.to_owned());
        self.outcome.notes.extend(notes.iter().map(|note| (ip, note.clone())));
    }

    /// Timelines and lists of marks.
    fn papers(&mut self) -> Result<(), Stopped> {
        let line = self.timeline(self.job.conform);
        for (product, text) in [
            (Product::Otio, otio::write(&line)),
            (Product::Fcpxml, fcpxml::write(&line)),
            (Product::Xmeml, xmeml::write(&line)),
            (Product::MarkersCsv, markers::csv(&line)),
            (Product::MarkersEdl, markers::edl(&line)),
        ] {
            self.put(product, text.as_bytes())?;
        }
        Ok(())
    }

    fn timeline(&self, conformed: bool) -> Timeline {
        let parts = self.parts.iter().zip(&self.record.nodes);
        let camera = |((ip, part), node): (&Part, &Node)| {
            let part = part.as_deref().ok();
            let away = || vec![plan::Piece { start: 0, ticks: plan::ticks(self.span, self.rate), footage: false }];
            Camera {
                name: node.name.clone(),
                ip: ip.to_string(),
                reel: node.reel.clone(),
                film: part.map(|part| names::film(&part.base, if conformed { Film::Conformed } else { Film::True })),
                rate: part.filter(|_| !conformed).and_then(|part| part.rate).unwrap_or(self.rate),
                size: part.and_then(size).unwrap_or((1920, 1080)),
                pieces: part.map_or_else(away, |part| plan::pieces(&part.rows, &part.manifest, self.span, self.rate)),
            }
        };
        let cameras = parts.map(camera).collect();
        Timeline::new(self.job.id.clone(), self.span, self.job.zone, self.rate, cameras, &self.job.marks)
    }

    fn sheet(&mut self) -> Result<(), Stopped> {
        let line = self.timeline(false);
        let mut stills = Vec::new();
        for mark in &line.marks {
            let mut row = Vec::new();
            for (_, part) in &self.parts {
                let progress =
                    Progress { file: names::file(&self.job.id, Product::Sheet), done: self.done, total: self.total };
                if !(self.tell)(&progress) {
                    return Err(Stopped::Asked);
                }
                row.push(part.as_ref().ok().and_then(|part| still(part, mark.at)));
            }
            stills.push(row);
        }
        self.put(Product::Sheet, sheet::page(&line, &stills).as_bytes())
    }

    fn keep_record(&self) -> Result<(), Stopped> {
        let mut json = serde_json::to_vec_pretty(&self.record).map_err(|e| format!("the record is no JSON: {e}"))?;
        json.push(b'\n');
        self.write(&names::file(&self.job.id, Product::Record), &json)
    }

    fn put(&mut self, product: Product, bytes: &[u8]) -> Result<(), Stopped> {
        let file = names::file(&self.job.id, product);
        self.write(&file, bytes)?;
        self.outcome.files.push(file);
        Ok(())
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<(), Stopped> {
        let (path, part) = (self.job.to.join(file), self.job.to.join(format!("{file}{PART}")));
        let run = || {
            let mut out = File::create(&part)?;
            out.write_all(bytes)?;
            out.sync_data()?;
            fs::rename(&part, &path)
        };
        run().map_err(|e| format!("cannot write {}: {e}", path.display()).into())
    }
}

/// By what a film is made.
fn how(look: &Look) -> String {
    format!("{} {} {} {:?} {}", look.span.t0, look.span.t1, look.rate, look.zone, look.reel)
}

/// The frame nearest to the mark; `None` where the camera was away.
fn still(part: &Footage, at: Wall) -> Option<Still> {
    let row = plan::nearest(&part.rows, at)?;
    let frame = part.rows.get(row)?;
    let away_us = frame.time.since_us(at);
    let near = away_us.unsigned_abs() as f64 <= part.period_us * AWAY;
    near.then(|| Still { jpeg: encode::still(part, row), frame: frame.frame, away_us })
}
