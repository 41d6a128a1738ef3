//! The queue of downloads: what is asked for, what is answered, in which order it comes.

use std::collections::BTreeMap;

use syncslate_shared::command::CommandResult;

use super::*;
use crate::errand::{Broken, RemoteFile};
use crate::event::Event;
use crate::kit::{Rig, answer, ip, progress, status};
use crate::snapshot::TakeSummary;
use crate::snapshot::{FileEntry, NodeFiles};

fn file(take: &str, n: u8, index: u32) -> RemoteFile {
    RemoteFile {
        name: format!("{take}_192_168_1_10{n}_20251023_140210_{index:06}.h264"),
        bytes: 1000 + u64::from(index),
    }
}

fn name(text: &str) -> TakeName {
    TakeName::new(text).unwrap()
}

fn fetches(effects: &[Effect]) -> Vec<(String, Ipv4Addr)> {
    let fetch =
        |e: &Effect| if let Effect::Fetch(errand) = e { Some((errand.take.to_string(), errand.ip)) } else { None };
    effects.iter().filter_map(fetch).collect()
}

impl Rig {
    fn wish(&mut self, payload: &str) -> Vec<Effect> {
        self.message("cmd/download", payload, false)
    }

    fn listed(&mut self, nodes: &[(u8, Result<&[RemoteFile], &str>)]) -> Vec<Effect> {
        let listing =
            |(n, files): &(u8, Result<&[RemoteFile], &str>)| (ip(*n), files.map(<[_]>::to_vec).map_err(str::to_owned));
        self.on(Event::Listed(nodes.iter().map(listing).collect()))
    }

    fn fetched(&mut self, take: &str, n: u8, outcome: Result<Option<String>, &str>) -> Vec<Effect> {
        let outcome = outcome.map_err(Broken::for_good);
        self.on(Event::Fetched { take: name(take), ip: ip(n), outcome })
    }

    fn progressed(&mut self, bytes: u64) -> Vec<Effect> {
        let progress = Progress { files: 2, bytes, total_bytes: 9000, verified: 0 };
        self.on(Event::Progress { take: name("A"), ip: ip(1), progress })
    }

    fn states(&self) -> BTreeMap<String, DownloadState> {
        let downloads = self.desk.snapshot(self.now().wall).downloads;
        downloads.into_iter().map(|download| (download.take.to_string(), download.state)).collect()
    }
}

fn refusal(result: CommandResult) -> (ErrorCode, String) {
    let error = result.error.unwrap();
    (error.code, error.message)
}

#[test]
fn a_take_comes_from_its_nodes_two_at_a_time() {
    let mut rig = Rig::new(4);
    assert_eq!(rig.wish("A"), [Effect::List { nodes: (1..=4).map(ip).collect() }]);
    let [a1, a2, a3] = [1, 2, 3].map(|n| vec![file("A", n, 0), file("A", n, 1)]);
    let effects = rig.listed(&[(1, Ok(&a1)), (2, Ok(&a2)), (3, Ok(&a3)), (4, Ok(&[]))]);
    let result = answer(&effects);
    assert_eq!((result.ok, result.take.unwrap().to_string().as_str()), (true, "A_20251023_140210"));
    assert_eq!(fetches(&effects), [("A".into(), ip(1)), ("A".into(), ip(2))], "parallel is two here");
    let said = &progress(&effects)[0];
    assert_eq!((said.state, said.nodes.len(), said.nodes[&ip(3)].total_bytes), (DownloadState::Running, 3, 2001));
    assert_eq!(fetches(&rig.fetched("A", 1, Ok(None))), [("A".into(), ip(3))]);
    rig.fetched("A", 3, Ok(None));
    assert_eq!(rig.states()["A"], DownloadState::Running);
    let effects = rig.fetched("A", 2, Err("x.h264 is not what the node wrote"));
    assert_eq!(rig.states()["A"], DownloadState::Failed);
    assert_eq!(progress(&effects)[0].nodes[&ip(2)].error.as_deref(), Some("x.h264 is not what the node wrote"));
    assert_eq!(rig.fetched("A", 2, Ok(None)), [], "an end that was told already");
}

#[test]
fn progress_is_said_five_times_a_second_at_most() {
    let mut rig = Rig::new(1);
    rig.wish("A");
    rig.listed(&[(1, Ok(&[file("A", 1, 0)]))]);
    let mut said = 0;
    for bytes in 1..=1000 {
        rig.clocks.pass(Duration::from_millis(3));
        said += progress(&rig.progressed(bytes)).len();
    }
    assert!((10..=15).contains(&said), "{said} in 3 s");
    assert_eq!(progress(&rig.pass(250)).len(), 1, "and the last one is not forgotten");
}

#[test]
fn a_second_wish_joins_the_first() {
    let mut rig = Rig::new(2);
    rig.wish("A");
    assert_eq!(rig.wish("A"), [], "one look at a time");
    let (a1, a2) = ([file("A", 1, 0)], [file("A", 2, 0)]);
    let nodes: [(u8, Result<&[RemoteFile], &str>); 2] = [(1, Ok(&a1)), (2, Ok(&a2))];
    assert!(rig.listed(&nodes).contains(&Effect::List { nodes: vec![ip(1), ip(2)] }), "for the wish that waited");
    let effects = rig.listed(&nodes);
    assert!(answer(&effects).ok);
    assert_eq!(fetches(&effects), [], "it is on its way already");
    rig.fetched("A", 1, Ok(None));
    rig.fetched("A", 2, Ok(None));
    rig.wish("A");
    assert_eq!(fetches(&rig.listed(&nodes)).len(), 2, "again, when it is asked for again");
}

#[test]
fn everything_is_what_is_not_here() {
    let mut rig = Rig::new(2);
    let (a1, b1, b2) = (file("A", 1, 0), file("B", 1, 0), file("B", 2, 0));
    let entry = |f: &RemoteFile, bytes| NodeFiles {
        ip: ip(1),
        files: vec![FileEntry { name: f.name.clone(), bytes, custody: None }],
    };
    let summary = |take: &str, node| TakeSummary {
        take: name(take),
        ids: vec![],
        nodes: vec![node],
        bytes: 0,
        date: String::new(),
        length_ms: None,
        sync: Vec::new(),
    };
    rig.on(Event::Library(vec![summary("A", entry(&a1, a1.bytes)), summary("B", entry(&b1, 3))]));
    rig.command("start", "C");
    rig.wish("");
    let t0 = rig.take().stamp.unwrap();
    let growing = RemoteFile { name: format!("C_192_168_1_101_{t0}_000000.h264"), bytes: 7 };
    let effects = rig.listed(&[(1, Ok(&[a1, b1, growing])), (2, Ok(&[b2]))]);
    assert!(answer(&effects).ok);
    assert_eq!(fetches(&effects), [("B".into(), ip(1)), ("B".into(), ip(2))]);
}

#[test]
fn nodes_that_cannot_be_asked_are_told_where_they_matter() {
    let mut rig = Rig::new(3);
    rig.command("start", "A");
    rig.pass(1000);
    rig.command("stop", "");
    rig.node(4, "armed", 900, 4.0);
    rig.wish("A");
    let a1 = [file("A", 1, 0)];
    let effects = rig.listed(&[(1, Ok(&a1)), (2, Err("no route")), (3, Ok(&[])), (4, Err("no route"))]);
    assert!(answer(&effects).ok);
    let parts = &progress(&effects)[0].nodes;
    assert_eq!(parts.keys().copied().collect::<Vec<_>>(), [ip(1), ip(2)], "the fourth was not there");
    assert_eq!((parts[&ip(2)].state, parts[&ip(2)].error.as_deref()), (DownloadState::Failed, Some("no route")));

    rig.wish("nowhere");
    let (code, message) = refusal(answer(&rig.listed(&[(1, Ok(&a1)), (2, Err("no route"))])));
    assert_eq!(code, ErrorCode::UnknownTake);
    assert!(message.contains("192.168.1.102: no route"), "{message}");

    rig.wish("");
    assert_eq!(refusal(answer(&rig.listed(&[(1, Err("x")), (2, Err("y"))]))).0, ErrorCode::NoNodes);

    rig.wish(&format!(r#"{{"take":"A","nodes":["{}","{}"]}}"#, ip(1), ip(3)));
    let effects = rig.listed(&[(1, Ok(&a1)), (3, Ok(&[]))]);
    let said = progress(&effects);
    assert_eq!(said.last().unwrap().nodes[&ip(3)].error.as_deref(), Some("it has no footage of this take"));
}

#[test]
fn a_part_waits_until_its_node_has_closed_the_take() {
    let mut rig = Rig::new(1);
    let rolling =
        |rig: &Rig, state| status(1, state, 900, 4.0, rig.now().wall, &"A_20251023_140210".into()).to_string();
    let topic = format!("status/{}", ip(1));
    let words = rolling(&rig, "rolling");
    rig.message(&topic, words, false);
    rig.wish("A");
    let effects = rig.listed(&[(1, Ok(&[file("A", 1, 0)]))]);
    assert_eq!((fetches(&effects).len(), rig.states()["A"]), (0, DownloadState::Queued));
    let words = rolling(&rig, "armed");
    assert_eq!(fetches(&rig.message(&topic, words, false)).len(), 1);
}

#[test]
fn who_asks_too_often_is_turned_away() {
    let mut rig = Rig::new(1);
    for _ in 0..=MAX_WISHES {
        assert!(!rig.wish("").iter().any(|e| matches!(e, Effect::Answer { .. })));
    }
    assert_eq!(rig.refused("download", "").0, ErrorCode::Busy);
}

#[test]
fn a_part_that_breaks_is_tried_again_later_and_later_until_patience_ends() {
    let mut rig = Rig::new(1);
    rig.wish("A");
    assert_eq!(fetches(&rig.listed(&[(1, Ok(&[file("A", 1, 0)]))])).len(), 1);
    let breaks = |rig: &mut Rig| {
        rig.on(Event::Fetched { take: name("A"), ip: ip(1), outcome: Err(Broken::for_now("no route")) });
    };
    // How long it waits each time, in ticks of a quarter of a second.
    let waits = |rig: &mut Rig| (1..=200).find(|_| !fetches(&rig.pass(250)).is_empty()).map(|ticks| ticks / 4);
    let mut waited = Vec::new();
    loop {
        breaks(&mut rig);
        if rig.states()["A"] == DownloadState::Failed {
            break;
        }
        assert_eq!(rig.states()["A"], DownloadState::Queued);
        waited.push(waits(&mut rig).unwrap());
    }
    assert_eq!(waited, [1, 2, 4, 8, 16, 30, 30], "100 s in all");
    // Asked for again, and coming further each time, it never ends.
    rig.wish("A");
    assert_eq!(fetches(&rig.listed(&[(1, Ok(&[file("A", 1, 0)]))])).len(), 1);
    for bytes in 1..300 {
        rig.progressed(bytes);
        breaks(&mut rig);
        assert_eq!(waits(&mut rig), Some(1));
    }
    breaks(&mut rig);
    rig.wish("A");
    assert_eq!(fetches(&rig.listed(&[(1, Ok(&[file("A", 1, 0)]))])).len(), 1, "somebody who asks need not wait");
}

#[test]
fn footage_is_deleted_only_of_a_take_that_is_named_and_also_when_it_is_wished_late() {
    let mut rig = Rig::new(1);
    let deletes =
        |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Fetch(errand) if !errand.delete.is_none()));
    assert_eq!(rig.refused("download", r#"{"delete_after_verify":true}"#).0, ErrorCode::Malformed);
    rig.wish("A");
    assert!(!deletes(&rig.listed(&[(1, Ok(&[file("A", 1, 0)]))])));
    rig.wish(r#"{"take":"A","delete_after_verify":true}"#);
    assert!(!deletes(&rig.listed(&[(1, Ok(&[file("A", 1, 0)]))])), "it is on its way without");
    assert!(deletes(&rig.fetched("A", 1, Ok(None))), "and goes once more");
    rig.fetched("A", 1, Ok(None));
    assert_eq!(rig.states()["A"], DownloadState::Done);
}

#[test]
fn what_a_restart_breaks_off_is_gone_on_with() {
    let mut rig = Rig::new(2);
    rig.wish(r#"{"take":"A","delete_after_verify":true}"#);
    let (a1, a2) = ([file("A", 1, 0)], [file("A", 2, 0)]);
    let effects = rig.listed(&[(1, Ok(&a1)), (2, Ok(&a2))]);
    let kept = |effects: &[Effect]| {
        effects.iter().find_map(|e| if let Effect::KeepQueue(pending) = e { Some(pending.clone()) } else { None })
    };
    let pending = |n| Pending { take: name("A"), ip: ip(n), which: Which::ALL, delete: Which::ALL };
    assert_eq!(kept(&effects), Some(vec![pending(1), pending(2)]));
    assert_eq!(kept(&rig.fetched("A", 1, Ok(None))), Some(vec![pending(2)]));
    let around = Rig::new(0);
    let pace = Pace { parallel: 2, patience: Duration::from_secs(9), while_rolling: false };
    let mut again = Downloads::new(pace, vec![pending(2)]);
    let (takes, fleet) = around.desk.parts();
    let effects = again.go_on(around.now().mono, Around { takes, fleet, library: &[] });
    assert_eq!(fetches(&effects), [("A".into(), ip(2))]);
}

#[test]
fn rate_and_time_left_are_said_of_each_node_and_of_the_whole() {
    let mut rig = Rig::new(2);
    rig.wish("A");
    let (a1, a2) = ([file("A", 1, 0)], [file("A", 2, 0)]);
    rig.listed(&[(1, Ok(&a1)), (2, Ok(&a2))]);
    let said = |rig: &Rig| rig.desk.snapshot(rig.now().wall).downloads[0].clone();
    for bytes in [0, 700, 1_400, 2_100] {
        rig.progressed(bytes);
        rig.pass(700);
    }
    let (whole, part) = (said(&rig), said(&rig).nodes[&ip(1)].clone());
    let rate = part.rate_bytes_s.unwrap();
    assert!((700..=1_000).contains(&rate), "{rate}");
    assert_eq!(part.left_s, Some((9_000u64 - 2_100).div_ceil(rate)));
    assert_eq!(said(&rig).nodes[&ip(2)].rate_bytes_s, None, "nothing was heard of it");
    assert_eq!(whole.rate_bytes_s, Some(rate));
    assert!(whole.left_s >= part.left_s, "{whole:?}");
    rig.pass(6_000);
    assert_eq!((said(&rig).rate_bytes_s, said(&rig).left_s), (None, None), "nothing comes any more");
    rig.progressed(9_000);
    rig.fetched("A", 1, Ok(None));
    assert_eq!(said(&rig).nodes[&ip(1)].left_s, None, "it has ended");
}

#[test]
fn a_download_that_is_cancelled_stands_until_it_is_wished_again() {
    let mut rig = Rig::new(3);
    let (a1, a2, b3) = ([file("A", 1, 0)], [file("A", 2, 0)], [file("B", 3, 0)]);
    let nodes: [(u8, Result<&[RemoteFile], &str>); 3] = [(1, Ok(&a1)), (2, Ok(&a2)), (3, Ok(&b3))];
    let (code, message) = rig.refused("download", r#"{"take":"A","cancel":true}"#);
    assert!(code == ErrorCode::UnknownTake && message.contains("nothing to cancel"), "{message}");
    rig.wish("");
    rig.listed(&nodes);
    let aborted = |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Abort { .. })).count();
    let effects = rig.wish(&format!(r#"{{"take":"A","nodes":["{}"],"cancel":true}}"#, ip(2)));
    assert!(answer(&effects).ok && aborted(&effects) == 1, "{effects:?}");
    assert_eq!(fetches(&effects), [("B".into(), ip(3))], "its place is free");
    let part = |rig: &Rig, n| {
        let downloads = rig.desk.snapshot(rig.now().wall).downloads;
        downloads.iter().find(|d| d.take == name("A")).unwrap().nodes[&ip(n)].clone()
    };
    assert_eq!((part(&rig, 2).state, part(&rig, 2).cancelled), (DownloadState::Failed, true));
    assert_eq!(part(&rig, 1).state, DownloadState::Running, "the other node was not meant");
    assert_eq!(rig.fetched("A", 2, Ok(None)), [], "what ends after that is not heard");
    rig.pass(120_000);
    assert_eq!(part(&rig, 2).state, DownloadState::Failed, "it does not begin by itself");
    rig.fetched("A", 1, Ok(None));
    rig.wish("A");
    assert_eq!(fetches(&rig.listed(&nodes)).len(), 1, "B has one of the two places");
    rig.fetched("B", 3, Ok(None));
    assert_eq!((part(&rig, 2).state, part(&rig, 2).cancelled), (DownloadState::Running, false));
    let effects = rig.wish(r#"{"cancel":true}"#);
    assert_eq!(aborted(&effects), 2, "all of them");
    // One that nodes are still asked for is answered, and never begins.
    rig.wish("A");
    let effects = rig.wish(r#"{"take":"A","cancel":true,"id":"x"}"#);
    let refused = |e: &Effect| matches!(e, Effect::Answer { result, .. } if !result.ok && result.id.is_none());
    assert!(effects.iter().any(refused), "{effects:?}");
    assert_eq!(fetches(&rig.listed(&nodes)), []);
}

#[test]
fn a_take_is_fetched_while_it_rolls_as_its_files_are_closed() {
    let mut rig = Rig::new(2);
    rig.desk = crate::desk::Desk::new(
        crate::journal::Journal::default(),
        crate::desk::DeskSettings {
            while_rolling: true,
            parallel: 2,
            segment_s: 60,
            patience: Duration::from_secs(100),
            ..Default::default()
        },
    );
    (1..=2).for_each(|n| drop(rig.node(n, "armed", 900, 4.0)));
    rig.command("start", "A");
    let id = rig.take().id.unwrap();
    let writes = |rig: &mut Rig, n, state, segment: Option<u32>| {
        let mut words = status(n, state, 900, 4.0, rig.now().wall, &serde_json::json!(id));
        words["segment"] = serde_json::json!(segment);
        rig.message(&format!("status/{}", ip(n)), words.to_string(), false)
    };
    let growing = |effects: &[Effect]| -> Vec<(Ipv4Addr, Option<Growing>)> {
        let errand =
            |e: &Effect| if let Effect::Fetch(errand) = e { Some((errand.ip, errand.growing.clone())) } else { None };
        effects.iter().filter_map(errand).collect()
    };
    let closed = || Some(Growing::ClosedOnly(id.clone()));
    assert_eq!(growing(&writes(&mut rig, 1, "rolling", Some(0))), [], "nothing is closed yet");
    assert_eq!(rig.states()["A"], DownloadState::Queued);
    assert_eq!(growing(&writes(&mut rig, 1, "rolling", Some(1))), [], "its digest may not be there yet");
    assert_eq!(growing(&rig.pass(1_300)), [(ip(1), closed())]);
    rig.fetched("A", 1, Ok(None));
    assert_eq!((rig.states()["A"], growing(&rig.pass(1_300))), (DownloadState::Queued, vec![]), "until the next one");
    // One that breaks is tried again, and a wish for the take does not delete what is still growing.
    writes(&mut rig, 1, "rolling", Some(2));
    assert_eq!(growing(&rig.pass(1_300)).len(), 1);
    rig.on(Event::Fetched { take: name("A"), ip: ip(1), outcome: Err(Broken::for_now("no route")) });
    assert_eq!(growing(&rig.pass(700)), []);
    assert_eq!(growing(&rig.pass(700)), [(ip(1), closed())]);
    assert_eq!(rig.refused("download", "A").0, ErrorCode::Busy);
    rig.command("stop", "");
    assert_eq!(growing(&rig.fetched("A", 1, Ok(None))), [], "it has not closed the take");
    assert_eq!(growing(&writes(&mut rig, 1, "armed", None)), [(ip(1), None)], "the rest");
    assert_eq!(growing(&writes(&mut rig, 2, "armed", None)), [], "it had begun before: it never said that it writes");
    rig.fetched("A", 1, Ok(None));
    rig.fetched("A", 2, Ok(None));
    assert_eq!(rig.states()["A"], DownloadState::Done);
}

#[test]
fn one_of_two_takes_of_a_name_is_deleted_alone() {
    let mut rig = Rig::new(1);
    let (code, message) = rig.refused("download", r#"{"stamp":"20251023_140210"}"#);
    assert!(code == ErrorCode::Malformed && message.contains("field `stamp`"), "{message}");
    let errand = |effects: &[Effect]| {
        effects.iter().find_map(|e| if let Effect::Fetch(errand) = e { Some(errand.clone()) } else { None })
    };
    let one = Which::named(Some(syncslate_shared::take::Stamp::try_from("20251023_140210".to_owned()).unwrap()));
    let wish = r#"{"take":"A","stamp":"20251023_140210","delete_after_verify":true}"#;
    rig.wish(wish);
    let found = errand(&rig.listed(&[(1, Ok(&[file("A", 1, 0)]))])).unwrap();
    assert_eq!((found.which, found.delete), (one.clone(), one.clone()));
    // The whole name is wished meanwhile: it is fetched too, and not deleted.
    rig.wish("A");
    rig.listed(&[(1, Ok(&[file("A", 1, 0)]))]);
    let found = errand(&rig.fetched("A", 1, Ok(None))).unwrap();
    assert_eq!((found.which, found.delete), (Which::ALL, one));
    rig.wish(&wish.replace("140210", "150210"));
    assert_eq!(refusal(answer(&rig.listed(&[(1, Ok(&[file("A", 1, 0)]))]))).0, ErrorCode::UnknownTake);
}
