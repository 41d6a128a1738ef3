//! What the showings say of each node and of the take, in words. Pure.

use std::net::Ipv4Addr;

use syncslate_shared::take::TakeId;
use syncslate_shared::time::Wall;

use crate::compare::{Camera, LEAST_FRAMES, compare};
use crate::model::{Light, Measured, Node, Showing, VERSION, Verdict};

/// From when on stamps and light differ, in microseconds: what is certain of the difference, its uncertainty taken off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Where the stamps claim nothing themselves.
    pub doubtful_us: f64,
    /// For red.
    pub differs_us: f64,
}

/// A node that was searched.
#[derive(Clone, Debug)]
pub struct Searched {
    /// What people call it.
    pub name: String,
    /// Pictures that were searched.
    pub pictures: u64,
    /// How far from the true time its stamps may be, as far as the sync report knows.
    pub claim_us: Option<f64>,
    /// What went wrong; empty for nothing.
    pub problem: String,
    /// What was read.
    pub camera: Camera,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The take.
    pub id: TakeId,
    /// Now.
    pub at: Wall,
    /// The program's version.
    pub version: String,
    /// How many seconds from the begin and up to the end of the take were searched; `None` for all.
    pub window_s: Option<f64>,
    /// The thresholds.
    pub limits: Limits,
}

/// Puts everything together.
pub fn judge(asked: Asked, searched: &[Searched]) -> Light {
    let cameras: Vec<Camera> = searched.iter().map(|one| one.camera.clone()).collect();
    let showings = compare(&cameras);
    let nodes: Vec<Node> = searched.iter().map(|one| node(one, &showings, &asked.limits)).collect();
    let verdict = overall(&nodes);
    let (summary, hint) = words(verdict, &nodes, &asked);
    let Asked { id, at, version, window_s, .. } = asked;
    Light { v: VERSION, version, id, at, verdict, summary, hint, window_s, nodes, showings }
}

fn of(ip: Ipv4Addr, showings: &[Showing]) -> impl Iterator<Item = (&Measured, f64)> {
    let all = showings.iter().flat_map(|showing| &showing.nodes).filter(move |node| node.ip == ip);
    all.filter_map(|node| Some((node, node.offset_us?)))
}

fn node(one: &Searched, showings: &[Showing], limits: &Limits) -> Node {
    let mine: Vec<(&Measured, f64)> = of(one.camera.ip, showings).collect();
    let best = mine.iter().min_by(|a, b| a.0.uncertainty_us.total_cmp(&b.0.uncertainty_us)).copied();
    let doubtful = one.claim_us.unwrap_or(limits.doubtful_us);
    let weigh = |(node, offset): &(&Measured, f64)| {
        let certain = offset.abs() - node.uncertainty_us;
        if certain <= doubtful {
            Verdict::Agrees
        } else if certain <= limits.differs_us {
            Verdict::Doubtful
        } else {
            Verdict::Differs
        }
    };
    Node {
        ip: one.camera.ip,
        name: one.name.clone(),
        searched: one.pictures,
        read: one.camera.seen.len() as u64,
        offset_us: best.map(|(_, offset)| offset),
        uncertainty_us: best.map(|(node, _)| node.uncertainty_us),
        claim_us: one.claim_us,
        verdict: mine.iter().map(weigh).max().unwrap_or(Verdict::Unseen),
        note: note(one, &mine),
    }
}

fn note(one: &Searched, mine: &[(&Measured, f64)]) -> String {
    let mut notes: Vec<String> = Vec::new();
    if !one.problem.is_empty() {
        notes.push(one.problem.clone());
    }
    let read = one.camera.seen.len();
    if mine.is_empty() && read >= LEAST_FRAMES {
        notes.push("no other camera saw the slate together with this one".into());
    } else if mine.is_empty() && read > 0 {
        notes.push(format!("the slate was read in {read} pictures, {LEAST_FRAMES} at a time are needed"));
    }
    if mine.iter().any(|(node, _)| node.agree_percent < 70.0) {
        notes.push("its stamps jump about".into());
    }
    let wander =
        |a: &(&Measured, f64), b: &(&Measured, f64)| (a.1 - b.1).abs() > a.0.uncertainty_us + b.0.uncertainty_us;
    if let Some((a, b)) = mine.first().zip(mine.last()).filter(|(a, b)| wander(a, b)) {
        notes.push(format!("its offset goes from {} to {}", signed_ms(a.1), signed_ms(b.1)));
    }
    notes.join("; ")
}

/// The worst of the nodes that were seen; one that was not hides nothing that is worse.
fn overall(nodes: &[Node]) -> Verdict {
    let seen = || nodes.iter().filter(|node| node.offset_us.is_some());
    if seen().count() < 2 {
        return Verdict::Unseen;
    }
    nodes.iter().map(|node| node.verdict).max().unwrap_or(Verdict::Unseen)
}

fn words(verdict: Verdict, nodes: &[Node], asked: &Asked) -> (String, String) {
    let seen: Vec<&Node> = nodes.iter().filter(|node| node.offset_us.is_some()).collect();
    if seen.len() < 2 {
        return nothing(nodes, asked);
    }
    let worst =
        seen.iter().max_by(|a, b| a.offset_us.unwrap_or(0.0).abs().total_cmp(&b.offset_us.unwrap_or(0.0).abs()));
    let worst = worst.map_or_else(String::new, |node| {
        format!(
            "{} is furthest from the middle, {} ± {}",
            node.name,
            signed_ms(node.offset_us.unwrap_or(0.0)),
            ms(node.uncertainty_us.unwrap_or(0.0))
        )
    });
    let told = match verdict {
        Verdict::Agrees => format!("stamps and light agree on all {} cameras: {worst}", nodes.len()),
        Verdict::Unseen => {
            let unseen: Vec<&str> = nodes.iter().filter(|n| n.offset_us.is_none()).map(|n| n.name.as_str()).collect();
            format!("stamps and light agree where the slate was seen, which {} did not: {worst}", unseen.join(" and "))
        }
        Verdict::Doubtful => format!("stamps and light differ by more than the stamps claim: {worst}"),
        Verdict::Differs => format!("stamps and light differ: {worst}"),
    };
    let hint = match verdict {
        Verdict::Agrees => "",
        Verdict::Unseen => "hold the slate before every camera for five seconds",
        Verdict::Doubtful | Verdict::Differs if seen.len() == 2 => {
            "of two cameras nobody can tell which one is off; half of what they are apart is put to each"
        }
        Verdict::Doubtful | Verdict::Differs => {
            "look at that camera's clock and at where its stamps come from (the sync report names both)"
        }
    };
    (told, hint.into())
}

fn nothing(nodes: &[Node], asked: &Asked) -> (String, String) {
    let read: u64 = nodes.iter().map(|node| node.read).sum();
    let where_ = asked
        .window_s
        .map_or_else(|| "all of the take".to_owned(), |s| format!("the first and last {s:.0} s of the take"));
    if read == 0 {
        let pictures: u64 = nodes.iter().map(|node| node.searched).sum();
        let more = if asked.window_s.is_some() { "; `--all` searches the whole take" } else { "" };
        return (
            format!("no slate was found in {pictures} pictures of {where_}"),
            format!(
                "open /slate on a phone, hold it before all cameras for five seconds after START or before STOP{more}"
            ),
        );
    }
    let seen = nodes.iter().filter(|node| node.read > 0).map(|node| node.name.as_str());
    (
        format!("the slate was not seen by two cameras together: only by {}", seen.collect::<Vec<_>>().join(" and ")),
        "hold it so that all cameras see it, or carry it from one to the next within a minute".into(),
    )
}

/// A node as a line of a table: its name, pictures searched, pictures that were read, offset, uncertainty, what its stamps
/// claim, the verdict.
pub fn cells(node: &Node) -> [String; 7] {
    let known = |us: Option<f64>, told: fn(f64) -> String| us.map_or_else(|| "–".to_owned(), told);
    let bound = |us: f64| format!("± {}", ms(us));
    let note = if node.note.is_empty() { String::new() } else { format!(": {}", node.note) };
    [
        node.name.clone(),
        node.searched.to_string(),
        node.read.to_string(),
        known(node.offset_us, signed_ms),
        known(node.uncertainty_us, bound),
        known(node.claim_us, bound),
        format!("{}{note}", node.verdict.word()),
    ]
}

/// A summary or a hint as a sentence of its own; of none nothing.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// `7.0 ms`
pub fn ms(us: f64) -> String {
    format!("{:.1} ms", us / 1000.0)
}

/// `+7.0 ms`, `−40.1 ms`, `0.0 ms`
pub fn signed_ms(us: f64) -> String {
    let text = ms(us.abs());
    match text.as_str() {
        "0.0 ms" => text,
        _ if us < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
