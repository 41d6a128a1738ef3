//! All cameras of a take together: from manifests and tables to the whole report. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use syncslate_shared::manifest::Manifest;
use syncslate_shared::take::{Mark, TakeId};
use syncslate_shared::time::Wall;

use crate::limits::Limits;
use crate::model::{Apart, FirstOff, Fleet, Node, Pair, Report, Source, VERSION, Worst};
use crate::node::{Grid, asked_us, counting_us, figures, unknown};
use crate::pair::{Track, pair};
use crate::table::Table;
use crate::verdict;

/// What is here of one node's part of a take.
#[derive(Debug)]
pub struct NodeInput {
    /// The node.
    pub ip: Ipv4Addr,
    /// Its manifest, or why there is none.
    pub manifest: Result<Manifest, String>,
    /// Its frame table; `None` while it is not here, or why it cannot be read.
    pub table: Option<Result<Table, String>>,
}

impl NodeInput {
    fn table(&self) -> Option<&Table> {
        self.table.as_ref().and_then(|table| table.as_ref().ok()).filter(|table| !table.is_empty())
    }
}

/// The report of the take `id`, which is called `name` here.
///
/// # Errors
/// There is no manifest of it that can be read, so not even T0 is known; with the reasons.
pub fn report(
    name: &str,
    id: &TakeId,
    mut inputs: Vec<NodeInput>,
    sources: Vec<Source>,
    limits: &Limits,
) -> Result<Report, String> {
    inputs.sort_by_key(|input| input.ip);
    let manifests: Vec<&Manifest> = inputs.iter().filter_map(|input| input.manifest.as_ref().ok()).collect();
    let Some(t0) = manifests.first().map(|manifest| manifest.t0) else {
        let why = inputs.iter().filter_map(|input| input.manifest.as_ref().err());
        let why: Vec<String> = why.cloned().collect();
        return Err(format!("no manifest of the take {id} can be read: {}", why.join("; ")));
    };
    let t1 = manifests.iter().filter_map(|manifest| manifest.t1).max();
    let grid = Grid { t0, period: common_period(&inputs) };
    let (nodes, tracks) = look(&inputs, grid);
    let pairs = pairs(&tracks, t0.micros());
    let fleet = together(&nodes, &pairs, grid);
    let complete = nodes.iter().all(|node| node.whole);
    let mut report = Report {
        v: VERSION,
        id: id.clone(),
        name: name.to_owned(),
        t0,
        t1,
        verdict: crate::model::Verdict::Green,
        complete,
        summary: String::new(),
        reasons: Vec::new(),
        limits: *limits,
        fleet,
        nodes,
        pairs,
        marks: marks(&manifests),
        sources,
        version: env!("CARGO_PKG_VERSION").into(),
    };
    verdict::judge(&mut report, &manifests_differ(&manifests, t0));
    Ok(report)
}

fn look(inputs: &[NodeInput], grid: Grid) -> (Vec<Node>, Vec<Track<'_>>) {
    let mut nodes = Vec::with_capacity(inputs.len());
    let mut tracks = Vec::new();
    for input in inputs {
        let manifest = match &input.manifest {
            Ok(manifest) => manifest,
            Err(why) => {
                nodes.push(unknown(input.ip, why.clone()));
                continue;
            }
        };
        let mut node = figures(manifest, input.table(), grid);
        if let Some(Err(why)) = &input.table {
            node.problem = Some(why.clone());
        }
        // A camera of which nothing is kept has a table without a frame.
        let empty = matches!(&input.table, Some(Ok(table)) if table.is_empty() && table.damaged == 0);
        if empty && manifest.finished && manifest.frames == 0 {
            (node.table, node.whole) = (true, true);
        }
        if let Some(table) = input.table()
            && let Some(period) = counting_us(manifest, Some(table))
        {
            tracks.push(Track::new(&node, table, period));
        }
        nodes.push(node);
    }
    (nodes, tracks)
}

fn pairs(tracks: &[Track<'_>], t0: i64) -> Vec<Pair> {
    let others = |(i, a)| tracks.iter().skip(i + 1).map(move |b| pair(a, b, t0));
    tracks.iter().enumerate().flat_map(others).collect()
}

/// The period that most cameras were asked for; of several the shortest. When none tells, what the first one does.
fn common_period(inputs: &[NodeInput]) -> Option<f64> {
    let mut votes: BTreeMap<u64, (usize, f64)> = BTreeMap::new();
    for period in inputs.iter().filter_map(|input| asked_us(input.manifest.as_ref().ok()?)) {
        votes.entry((period * 1000.0) as u64).or_insert((0, period)).0 += 1;
    }
    let most = votes.values().map(|(votes, _)| *votes).max();
    let elected = votes.values().find(|(votes, _)| Some(*votes) == most).map(|(_, period)| *period);
    elected.or_else(|| inputs.iter().find_map(|input| counting_us(input.manifest.as_ref().ok()?, input.table())))
}

fn together(nodes: &[Node], pairs: &[Pair], grid: Grid) -> Fleet {
    let skews = || nodes.iter().filter_map(|node| node.skew_us);
    let all = |figure: fn(&Pair) -> Option<u64>| {
        let bounds: Option<Vec<u64>> = pairs.iter().map(figure).collect();
        bounds.and_then(|bounds| bounds.into_iter().max())
    };
    let first_off = pairs.iter().filter_map(|pair| Some((pair, pair.off_by_one?))).min_by_key(|(_, off)| off.at_us);
    Fleet {
        cameras: nodes.len() as u64,
        frames: nodes.iter().map(|node| node.frames).sum(),
        missing: nodes.iter().map(|node| node.missing).sum(),
        grid_us: grid.period,
        skew_us: skews().max().zip(skews().min()).map(|(max, min)| max.saturating_sub(min)),
        nearest: worst(pairs, |pair| pair.nearest),
        by_number: worst(pairs, |pair| pair.by_number),
        off_by_one: first_off.map(|(pair, off)| FirstOff { a: pair.a, b: pair.b, frame: off.frame, at_us: off.at_us }),
        clock_us: all(|pair| pair.clock_us),
        uncertainty_us: all(|pair| pair.uncertainty_us),
    }
}

fn worst(pairs: &[Pair], of: fn(&Pair) -> Option<Apart>) -> Option<Worst> {
    let mut medians: Vec<u64> = pairs.iter().filter_map(|pair| Some(of(pair)?.median_us)).collect();
    medians.sort_unstable();
    let median_us = *medians.get(medians.len().checked_sub(1)? / 2)?;
    let (pair, apart) = pairs.iter().filter_map(|pair| Some((pair, of(pair)?))).max_by_key(|(_, a)| a.worst_us)?;
    let Apart { worst_us, worst_at_us, .. } = apart;
    Some(Worst { a: pair.a, b: pair.b, worst_us, worst_at_us, median_us })
}

/// Marks by number, as the first manifest that has each of them tells it.
fn marks(manifests: &[&Manifest]) -> Vec<Mark> {
    let mut marks: BTreeMap<u32, Mark> = BTreeMap::new();
    for placed in manifests.iter().flat_map(|manifest| &manifest.marks) {
        marks.entry(placed.mark.n).or_insert_with(|| placed.mark.clone());
    }
    marks.into_values().collect()
}

/// Nodes whose T0 or T1 is not the fleet's.
fn manifests_differ(manifests: &[&Manifest], t0: Wall) -> Vec<Ipv4Addr> {
    let t1 = manifests.iter().find_map(|manifest| manifest.t1);
    let differs = |m: &&&Manifest| m.t0 != t0 || (m.t1.is_some() && m.t1 != t1);
    manifests.iter().filter(differs).map(|manifest| manifest.ip).collect()
}
