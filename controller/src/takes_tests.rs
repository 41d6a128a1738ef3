//! Takes over hours of simulated time, with commands that come twice, late, or from a clock that was set.

use proptest::prelude::*;
use syncslate_shared::protocol::TakeState;

use super::*;
use crate::kit::{Rig, ip};

#[test]
fn a_take_rolls_is_marked_and_cut() {
    let mut rig = Rig::new(3);
    let started = rig.command("start", "test_001_windy");
    let t0 = rig.take().t0.unwrap();
    assert_eq!(started.take, rig.take().id);
    assert!(t0 <= rig.now().wall && rig.now().wall.since_us(t0) < 500_000);
    assert_eq!(rig.take().nodes.unwrap(), [ip(1), ip(2), ip(3)]);
    rig.pass(7_301);
    assert!(rig.command("mark", "he laughs").ok);
    rig.pass(11);
    assert!(rig.command("mark", "").ok);
    let at = t0.offset_us(1_000_001);
    assert!(rig.command("mark", &format!(r#"{{"at":"{at}","note":"earlier"}}"#)).ok);
    let marks: Vec<_> = rig.kept.marks.iter().map(|m| (m.n, m.note.as_str())).collect();
    assert_eq!(marks, [(1, "he laughs"), (2, ""), (3, "earlier")]);
    rig.pass(1_009);
    let cut = rig.now().wall;
    assert!(rig.command("stop", "").ok);
    assert_eq!((rig.take().state, rig.take().t1), (TakeState::Idle, Some(cut)));
    assert_eq!(rig.kept.marks.len(), 3, "they stay with the last take");
}

#[test]
fn a_restart_in_the_middle_goes_on_with_everything() {
    let mut rig = Rig::new(2);
    rig.command("start", "");
    rig.pass(61_007);
    rig.command("mark", "before");
    let mut again = Rig::from(Journal::from_json(&rig.kept.to_json()).unwrap());
    assert_eq!(again.take(), rig.take());
    again.clocks.pass(std::time::Duration::from_secs(100));
    again.command("mark", "after");
    assert_eq!(again.kept.marks.iter().map(|m| m.n).collect::<Vec<_>>(), [1, 2]);
    assert!(again.command("stop", "").ok);
    again.node(1, "armed", 900, 4.0);
    assert_eq!(again.command("start", "").take.unwrap().name.as_str(), "take_002");
}

#[test]
fn two_takes_of_one_name_within_a_second_are_two_takes() {
    let mut rig = Rig::new(1);
    let first = rig.command("start", "A").take.unwrap();
    rig.command("stop", "");
    let cut = rig.take().t1.unwrap();
    let second = rig.command("start", "A").take.unwrap();
    assert_ne!(first, second);
    assert_eq!(second.stamp, Stamp::local(rig.take().t0.unwrap()));
    assert!(rig.take().t0.unwrap() >= cut, "a frame belongs to one take");
}

#[test]
fn a_name_that_is_known_anywhere_is_not_given_again() {
    let mut rig = Rig::new(1);
    assert_eq!(rig.desk.snapshot(rig.now().wall).next_name.as_str(), "take_001");
    rig.command("start", "take_041");
    rig.command("stop", "");
    assert_eq!(rig.command("start", "").take.unwrap().name.as_str(), "take_042");
    rig.command("stop", "");
    let id = serde_json::json!("take_907_20251023_140210");
    let status = crate::kit::status(1, "rolling", 900, 4.0, rig.now().wall, &id);
    rig.message(&format!("status/{}", ip(1)), status.to_string(), false);
    assert_eq!(rig.command("start", r#"{"take":""}"#).take.unwrap().name.as_str(), "take_908");
    rig.command("stop", "");
    rig.command("start", "take_4294967295");
    rig.command("stop", "");
    assert_eq!(rig.desk.snapshot(rig.now().wall).next_name.as_str(), "take_909");
}

#[test]
fn a_node_that_comes_in_the_middle_belongs_to_the_take() {
    let mut rig = Rig::new(2);
    rig.command("start", "A");
    rig.pass(5_003);
    let effects = rig.node(3, "standby", 900, 0.0);
    assert!(effects.iter().any(|e| matches!(e, Effect::Say { topic: Topic::Take, .. })));
    assert_eq!(rig.take().nodes.unwrap().len(), 3);
    let again = rig.node(3, "armed", 900, 1.0);
    assert!(!again.iter().any(|e| matches!(e, Effect::Say { .. })), "{again:?}");
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_from_stopping_or_starting() {
    let mut rig = Rig::new(1);
    rig.command("start", "A");
    rig.clocks.step_us(-3_600_000_000);
    assert!(rig.command("mark", "").ok);
    assert!(rig.command("stop", "").ok);
    let take = rig.take().take().unwrap().unwrap();
    assert_eq!(take.t1, Some(take.t0.offset_us(1)));
    rig.node(1, "armed", 900, 4.0);
    assert!(rig.command("start", "B").ok);
    assert!(rig.take().t0.unwrap() <= rig.now().wall, "and at once");
}

#[derive(Clone, Debug)]
enum Step {
    Command(&'static str, &'static str),
    Pass(u64),
    Set(i64),
    Node(u8, &'static str),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::sample::select(vec![("start", ""), ("start", "A"), ("stop", ""), ("mark", "x"), ("mark", ""),
            ("start", "../x"), ("stop", "now"), ("dance", ""), ("download", "nowhere")])
            .prop_map(|(word, payload)| Step::Command(word, payload)),
        3 => (1u64..3_000_000).prop_map(Step::Pass),
        1 => (-9_000_000i64..9_000_000).prop_map(Step::Set),
        3 => (1u8..4, prop::sample::select(vec!["armed", "standby", "fault", "rolling", "starting"]))
            .prop_map(|(n, state)| Step::Node(n, state)),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_take_is_whole(steps in prop::collection::vec(step(), 1..80)) {
        let mut rig = Rig::new(1);
        let mut ids = BTreeSet::new();
        for step in steps {
            let (before, now) = (rig.take(), rig.now().wall);
            match step {
                Step::Command(word, payload) => {
                    let effects = rig.message(&format!("cmd/{word}"), payload, false);
                    let answers = effects.iter().filter(|e| matches!(e, Effect::Answer { .. })).count();
                    // A download that is looked into is answered later; everything else now, once.
                    prop_assert!(answers == 1 || word == "download");
                    let obeyed = effects.iter().any(|e| matches!(e, Effect::Answer { result, .. } if result.ok));
                    if !obeyed {
                        prop_assert_eq!(&rig.take(), &before);
                    } else if word == "start" {
                        let take = rig.take();
                        prop_assert!(ids.insert(take.id.clone().unwrap()), "{:?} twice", take.id);
                        prop_assert!(take.t0.unwrap() <= now + std::time::Duration::from_secs(32));
                        prop_assert!(rig.kept.marks.is_empty());
                    }
                }
                Step::Pass(ms) => { rig.pass(ms); }
                Step::Set(us) => rig.clocks.step_us(us),
                Step::Node(n, state) => { rig.node(n, state, 1_307, 3.9); }
                Step::Restart => {
                    let clocks = std::mem::replace(&mut rig.clocks, syncslate_shared::time::SimClocks::new(now, 0.0));
                    rig = Rig::from(Journal::from_json(&rig.kept.to_json()).unwrap());
                    rig.clocks = clocks;
                }
            }
            prop_assert_eq!(&rig.take(), &CurrentTake::of(rig.kept.take.as_ref()), "the disk knows what is true");
            let take = rig.take().take();
            prop_assert!(take.is_ok(), "{take:?}");
            let numbers: Vec<_> = rig.kept.marks.iter().map(|m| m.n).collect();
            prop_assert_eq!(numbers, (1..).take(rig.kept.marks.len()).collect::<Vec<u32>>());
            if let Some(take) = take.unwrap() {
                prop_assert!(rig.kept.marks.iter().all(|mark| mark.at >= take.t0));
                prop_assert!(take.t1.is_none_or(|t1| t1 > take.t0));
            }
        }
    }
}
