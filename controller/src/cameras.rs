//! How the cameras are to be set: by values, or all like one of them. Pure; [`crate::store`] keeps it.
//!
//! The controller keeps the wishes of each node and says them again at every start, so that a node whose SD card was
//! replaced, or another broker that forgot them, has them back.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use syncslate_shared::camera::{CameraWishes, Can, Changes, Key, Settings};
use syncslate_shared::command::{CameraWish, ErrorCode, Refusal};
use syncslate_shared::protocol::{Finding, Level, NodeState, NodeStatus, VERSION};
use syncslate_shared::take::TakeId;
use syncslate_shared::time::Wall;
use syncslate_shared::topic::Topic;

use crate::event::Effect;
use crate::snapshot::NodeView;
use crate::wishes::Wishes;

/// A node that was told so long ago has been set, in microseconds.
const TAKES_US: i64 = 3_000_000;

/// What a command came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What there is to do.
    pub effects: Vec<Effect>,
    /// What was set where, a sentence each.
    pub done: Vec<String>,
    /// What was not, a sentence each.
    pub warnings: Vec<String>,
}

/// The wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cameras {
    kept: Wishes,
    /// The length of segments in the settings, in seconds.
    own_segment_s: u32,
}

/// A wish as it arrived.
#[derive(Clone, Debug)]
pub struct Wished<'a> {
    /// Only these; `None` for all that were ever heard of.
    pub nodes: Option<&'a [Ipv4Addr]>,
    /// To what.
    pub to: &'a CameraWish,
    /// The length of segments, or back to the settings' one.
    pub segment_s: Option<Option<u32>>,
}

impl Cameras {
    /// Goes on with what was kept.
    pub fn new(kept: Wishes, own_segment_s: u32) -> Self {
        Self { kept, own_segment_s }
    }

    /// The length of the next take's segments in seconds.
    pub fn segment_s(&self) -> u32 {
        self.kept.segment_s.unwrap_or(self.own_segment_s)
    }

    /// What is wished of each camera.
    pub fn wishes(&self) -> BTreeMap<Ipv4Addr, Settings> {
        self.kept.wishes.iter().map(|(ip, wishes)| (*ip, wishes.settings.clone())).collect()
    }

    /// All that is said at the start.
    pub fn say_all(&self) -> Vec<Effect> {
        self.kept.wishes.iter().map(|(ip, wishes)| Effect::say(Topic::Camera(*ip), wishes)).collect()
    }

    /// Sets cameras.
    ///
    /// # Errors
    /// Why not; nothing has changed then.
    pub fn wish(
        &mut self,
        now: Wall,
        wished: &Wished<'_>,
        nodes: &[NodeView],
        rolling: Option<&TakeId>,
    ) -> Result<Outcome, Refusal> {
        if let Some(take) = rolling {
            let message = format!("the take {take} is rolling: cameras are set after STOP");
            return Err(Refusal::new(ErrorCode::AlreadyRolling, message));
        }
        let mut outcome = Outcome::default();
        let new = match wished.to {
            CameraWish::Values(changes) if changes.0.is_empty() => BTreeMap::new(),
            CameraWish::Values(changes) => self.by_values(&whom(wished.nodes, nodes)?, changes, &mut outcome)?,
            CameraWish::Like(like) => {
                let actual = actual(nodes, *like)?;
                self.like(&whom(wished.nodes, nodes)?, &actual, &mut outcome)
            }
        };
        let mut kept = self.kept.clone();
        for (ip, settings) in new {
            if kept.wishes.get(&ip).is_none_or(|before| before.settings != settings) {
                let wishes = CameraWishes { v: VERSION, ip, settings, at: now };
                outcome.effects.push(Effect::say(Topic::Camera(ip), &wishes));
                kept.wishes.insert(ip, wishes);
            }
        }
        if let Some(segment_s) = wished.segment_s {
            kept.segment_s = segment_s;
            let length = segment_s.unwrap_or(self.own_segment_s);
            outcome.done.push(format!("segments of the next take last {length} s"));
        }
        if kept != self.kept {
            // On the disk before a node hears it.
            outcome.effects.insert(0, Effect::KeepCameras(Box::new(kept.clone())));
            self.kept = kept;
        }
        Ok(outcome)
    }

    fn by_values(
        &self,
        targets: &[&NodeView],
        changes: &Changes,
        outcome: &mut Outcome,
    ) -> Result<BTreeMap<Ipv4Addr, Settings>, Refusal> {
        let invalid = |message: String| Refusal::new(ErrorCode::InvalidSetting, message);
        let mut new = BTreeMap::new();
        for node in targets {
            let (has, lacks) = split(node, changes);
            for (key, value) in &has.0 {
                let check = |value| can(node).map_or(Ok(()), |can| can.check(*key, value));
                value.map_or(Ok(()), check).map_err(|why| invalid(format!("{}: {why}", name(node))))?;
            }
            let settings = self.of(node.ip).changed(&has);
            let fps = node.status.as_ref().map_or(1.0, |status| status.camera.fps);
            settings.fits_rate(fps).map_err(|why| invalid(format!("{}: {why}", name(node))))?;
            outcome.warnings.extend((!lacks.is_empty()).then(|| format!("{} has no {}", name(node), lacks.join(", "))));
            if !has.0.is_empty() {
                outcome.done.push(format!("{}: {}", name(node), words(&has)));
                new.insert(node.ip, settings);
            }
        }
        if new.is_empty() {
            return Err(invalid(format!("nothing can be set: {}", outcome.warnings.join("; "))));
        }
        Ok(new)
    }

    /// Locks what one camera has on all that can have it.
    fn like(&self, targets: &[&NodeView], actual: &Settings, outcome: &mut Outcome) -> BTreeMap<Ipv4Addr, Settings> {
        let mut new = BTreeMap::new();
        for node in targets {
            let told = node.status.is_none() || can(node).is_some();
            if !told {
                outcome
                    .warnings
                    .push(format!("{} does not say what it has to set: nothing was locked there", name(node)));
                continue;
            }
            let (mut has, lacks) = split(node, &Changes::from(actual.clone()));
            let mut why = Vec::new();
            has.0.retain(|key, value| {
                let widest = Can::widest(&[*key]);
                let checked = value.map_or(Ok(()), |value| can(node).unwrap_or(&widest).check(*key, value));
                why.extend(checked.as_ref().err().cloned());
                checked.is_ok()
            });
            let mut settings = self.of(node.ip).changed(&has);
            if let Err(long) = settings.fits_rate(1.0) {
                settings.set(Key::ExposureUs, None);
                has.0.remove(&Key::ExposureUs);
                why.push(long);
            }
            outcome.warnings.extend((!lacks.is_empty()).then(|| format!("{} has no {}", name(node), lacks.join(", "))));
            outcome.warnings.extend(why.into_iter().map(|why| format!("{}: {why}", name(node))));
            outcome.done.push(format!("{}: {}", name(node), words(&has)));
            new.insert(node.ip, settings);
        }
        new
    }

    fn of(&self, ip: Ipv4Addr) -> Settings {
        self.kept.wishes.get(&ip).map(|wishes| wishes.settings.clone()).unwrap_or_default()
    }

    /// Adds to each node what its camera does not have of what is wished.
    pub fn look(&self, nodes: &mut [NodeView]) {
        for node in nodes {
            let (Some(status), Some(wishes)) = (&node.status, self.kept.wishes.get(&node.ip)) else { continue };
            let found = differs(status, wishes).filter(|_| matches!(node.state, NodeState::Armed | NodeState::Rolling));
            if let Some(finding) = found {
                node.findings.push(finding);
                node.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
            }
        }
    }
}

fn differs(status: &NodeStatus, wishes: &CameraWishes) -> Option<Finding> {
    let camera = &status.camera;
    // Setting takes a second or so; what waits for the end of a take says so by itself.
    if status.at.since_us(wishes.at) < TAKES_US || camera.pending {
        return None;
    }
    let finding = |code: &str, message, remedy: &str| Finding {
        level: Level::Warning,
        code: code.into(),
        message,
        remedy: remedy.into(),
    };
    let Some(holds) = &camera.wished else {
        let message = "it does not take the camera settings that are wished of it".into();
        let remedy =
            "bring its program to the controller's version; on another broker let it read `camera/` and its address";
        return Some(finding("settings_not_heard", message, remedy));
    };
    let missed = holds.missed(camera.actual.as_ref()?);
    let words = |(key, wished, has): &(Key, _, _)| {
        format!("its {} is {}, wished is {}", key.words(), key.show(*has), key.show(*wished))
    };
    let message: Vec<String> = missed.iter().map(words).collect();
    let remedy = "wish what this camera can do, or look at its light and its lens";
    (!missed.is_empty()).then(|| finding("settings_missed", message.join("; "), remedy))
}

/// The nodes that are meant.
fn whom<'a>(named: Option<&[Ipv4Addr]>, nodes: &'a [NodeView]) -> Result<Vec<&'a NodeView>, Refusal> {
    let no = |message: String| Refusal::new(ErrorCode::NoNodes, message);
    let Some(named) = named else {
        return if nodes.is_empty() {
            Err(no("no camera has been heard of yet".into()))
        } else {
            Ok(nodes.iter().collect())
        };
    };
    if named.is_empty() {
        return Err(no("field `nodes`: it names none".into()));
    }
    if let Some(stranger) = named.iter().find(|ip| nodes.iter().all(|node| node.ip != **ip)) {
        return Err(no(format!("{stranger} is no node that was ever heard of")));
    }
    Ok(nodes.iter().filter(|node| named.contains(&node.ip)).collect())
}

/// What the camera at `ip` has now.
fn actual(nodes: &[NodeView], ip: Ipv4Addr) -> Result<Settings, Refusal> {
    let Some(node) = nodes.iter().find(|node| node.ip == ip) else {
        let message = format!("field `match`: {ip} is no node that was ever heard of");
        return Err(Refusal::new(ErrorCode::NoNodes, message));
    };
    let status = node.status.as_ref().filter(|_| node.state != NodeState::Offline);
    status.and_then(|status| status.camera.actual.clone()).filter(|actual| !actual.0.is_empty()).ok_or_else(|| {
        let message = format!("{} tells no values of its camera now: it must be armed to be matched", name(node));
        Refusal::new(ErrorCode::NotReady, message)
    })
}

/// What this camera has of the changes, and what it lacks, in words. One that does not tell may have all.
fn split(node: &NodeView, changes: &Changes) -> (Changes, Vec<&'static str>) {
    let has = |key: &Key| can(node).is_none_or(|can| can.has(*key));
    let (mut own, mut lacks) = (changes.clone(), Vec::new());
    own.0.retain(|key, value| {
        // A wish can be taken away where there is nothing to set any more.
        let keep = has(key) || value.is_none();
        lacks.extend((!keep).then(|| key.words()));
        keep
    });
    (own, lacks)
}

fn can(node: &NodeView) -> Option<&Can> {
    node.status.as_ref()?.camera.can.as_ref()
}

fn name(node: &NodeView) -> String {
    let name = node.status.as_ref().map(|status| status.name.as_str()).filter(|name| !name.is_empty());
    name.map_or_else(|| node.ip.to_string(), |name| format!("{name} ({})", node.ip))
}

fn words(changes: &Changes) -> String {
    let one = |(key, value): (&Key, &Option<_>)| match value {
        Some(value) => format!("{} {}", key.words(), key.show(*value)),
        None if key.automatic() => format!("{} automatic", key.words()),
        None => format!("{} as in its own settings", key.words()),
    };
    changes.0.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "cameras_tests.rs"]
mod tests;
