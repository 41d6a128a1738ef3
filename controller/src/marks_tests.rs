//! Marks that are changed and deleted: of the take that rolls, of the last one, of older ones whose footage is here.

use serde_json::json;

use super::*;
use crate::event::{Asker, Effect, Event};
use crate::kit::{Rig, answer};
use crate::snapshot::TakeSummary;

fn name(text: &str) -> TakeName {
    TakeName::new(text).unwrap()
}

fn old() -> TakeId {
    TakeId::try_from("A_20251023_140217".to_owned()).unwrap()
}

/// A node's manifest in the downloads folder, with the numbers of the marks that it knows.
fn manifest(folder: &Path, ip: &str, marks: &[u32]) {
    let marks: Vec<_> = marks.iter().map(|n| json!({"n":n,"at":format!("2025-10-23T12:02:{:02}Z", 17 + n),"note":format!("note {n}"),"frame":7,"segment":0})).collect();
    let manifest = json!({"v":1,"take":"A","id":"A_20251023_140217","stamp":"20251023_140217","ip":ip,"name":"left",
        "t0":"2025-10-23T12:02:17Z","t1":"2025-10-23T12:03:00Z","segment_s":60,"camera":null,"encoder":null,"stamps":null,
        "clock_at_roll":null,"clock_at_cut":null,"skew_us":null,"lead_in_frames":0,"frames":9,"segments":[],"gaps":[],
        "marks":marks,"finished":true,"version":"0.1.0"});
    let node = folder.join("A").join(ip);
    fs::create_dir_all(&node).unwrap();
    fs::write(node.join(format!("A_{}_20251023_140217_take.json", ip.replace('.', "_"))), manifest.to_string())
        .unwrap();
}

fn summary() -> TakeSummary {
    TakeSummary {
        take: name("A"),
        ids: vec![old()],
        nodes: Vec::new(),
        bytes: 0,
        date: String::new(),
        length_ms: None,
        sync: Vec::new(),
    }
}

#[test]
fn numbers_are_never_given_again() {
    let mut rig = Rig::new(2);
    assert_eq!(rig.refused("mark", r#"{"n":1,"delete":true}"#).0, ErrorCode::NotRolling);
    rig.command("start", "A");
    for note in ["one", "two", "three"] {
        rig.command("mark", note);
    }
    assert_eq!(rig.command("mark", r#"{"n":3,"delete":true}"#).mark, Some(3));
    assert_eq!(rig.refused("mark", r#"{"n":3,"note":"again"}"#).0, ErrorCode::UnknownMark);
    assert_eq!(rig.command("mark", "four").mark, Some(4));
    let at = rig.kept.marks[1].at;
    assert!(rig.command("mark", r#"{"n":2,"note":"better"}"#).ok);
    // The number lives through a restart, and through the deletion of all.
    for n in [1, 2, 4] {
        assert!(rig.command("mark", &format!(r#"{{"n":{n},"delete":true}}"#)).ok);
        if n == 1 {
            assert_eq!((rig.kept.marks[0].n, rig.kept.marks[0].at, rig.kept.marks[0].note.as_str()), (2, at, "better"));
        }
    }
    let mut again = Rig::from(crate::journal::Journal::from_json(&rig.kept.to_json()).unwrap());
    assert_eq!(again.command("mark", "five").mark, Some(5));
    again.command("stop", "");
    assert!(again.command("mark", r#"{"n":5,"note":"after the cut"}"#).ok, "the last take's can be changed still");
    again.node(1, "armed", 900, 4.0);
    again.command("start", "B");
    assert_eq!(again.command("mark", "").mark, Some(1), "another take counts anew");
}

#[test]
fn a_journal_of_before_counts_on() {
    let mut rig = Rig::new(1);
    rig.command("start", "A");
    rig.command("mark", "");
    let mut json: serde_json::Value = serde_json::from_slice(&rig.kept.to_json()).unwrap();
    json.as_object_mut().unwrap().remove("marked");
    let mut again = Rig::from(crate::journal::Journal::from_json(json.to_string().as_bytes()).unwrap());
    assert_eq!(again.command("mark", "").mark, Some(2));
}

#[test]
fn marks_of_footage_that_is_here_are_kept_beside_it() {
    let mut rig = Rig::new(1);
    rig.command("start", "B");
    rig.command("mark", "one");
    let id = rig.take().id.unwrap();
    let library = TakeSummary { take: name("renamed"), ids: vec![id], ..summary() };
    rig.on(Event::Library(vec![library, summary()]));
    let payload = r#"{"n":1,"note":"better"}"#;
    let keeps = |effects: &[Effect]| {
        effects.iter().any(|effect| matches!(effect, Effect::KeepMarks { folder, .. } if *folder == name("renamed")))
    };
    assert!(!keeps(&rig.message("cmd/mark", payload, false)), "it rolls: its footage is still to come");
    rig.command("stop", "");
    assert!(keeps(&rig.message("cmd/mark", payload, false)));
    // An older take: answered when its list is written.
    let payload = format!(r#"{{"take":"{}","n":7,"delete":true,"id":"x"}}"#, old());
    let effects = rig.message("cmd/mark", payload, false);
    let [Effect::Remark(wanted)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((&wanted.folder, wanted.n, &wanted.change), (&name("A"), 7, &MarkChange::Delete));
    let Remark { command, id, n, .. } = (**wanted).clone();
    let result = answer(&rig.on(Event::Remarked { asker: Asker::Mqtt, command, id, n, outcome: Ok(()) }));
    assert_eq!((result.ok, result.take, result.mark, result.id), (true, Some(old()), Some(7), Some("x".into())));
    assert_eq!(rig.refused("mark", r#"{"take":"C_20251023_140217","n":1,"note":""}"#).0, ErrorCode::UnknownTake);
}

#[test]
fn the_originals_stay_as_they_came() {
    let folder = tempfile::tempdir().unwrap();
    manifest(folder.path(), "10.0.0.1", &[1, 3]);
    manifest(folder.path(), "10.0.0.2", &[1, 2]);
    let before = fs::read(folder.path().join("A/10.0.0.1/A_10_0_0_1_20251023_140217_take.json")).unwrap();
    let numbers = || find(folder.path(), &name("A"), &old()).unwrap().marks.iter().map(|m| m.n).collect::<Vec<_>>();
    assert_eq!(numbers(), [1, 2, 3], "a node that was away lacks some");
    let command = syncslate_shared::command::Command::read("mark", b"");
    let wanted =
        |n, change| Remark { asker: Asker::Mqtt, command: command.clone(), folder: name("A"), id: old(), n, change };
    remark(folder.path(), &wanted(2, MarkChange::Delete)).unwrap();
    remark(folder.path(), &wanted(3, MarkChange::Note("better".into()))).unwrap();
    assert_eq!(numbers(), [1, 3]);
    assert_eq!(remark(folder.path(), &wanted(2, MarkChange::Delete)).unwrap_err().code, ErrorCode::UnknownMark);
    let after = fs::read(folder.path().join("A/10.0.0.1/A_10_0_0_1_20251023_140217_take.json")).unwrap();
    assert_eq!(before, after);
    // A list that is damaged is named, never taken for none.
    fs::write(folder.path().join("A/A_20251023_140217_marks.json"), "{").unwrap();
    let error = remark(folder.path(), &wanted(3, MarkChange::Delete)).unwrap_err().message;
    assert!(error.contains("A_20251023_140217_marks.json are damaged"), "{error}");
}
