//! A shoot as it stands in the book.

use serde_json::json;
use syncslate_shared::command::{ErrorCode, Refusal};
use syncslate_shared::protocol::{DownloadState, NodeDownload};

use super::*;
use crate::event::Event;
use crate::kit::{NOON, Rig, ip, status};

/// The rig's desk, seen by a chronicler.
struct Reader {
    rig: Rig,
    chronicler: Chronicler,
}

impl Reader {
    fn new(nodes: u8) -> Self {
        let mut reader = Self { rig: Rig::new(0), chronicler: Chronicler::default() };
        assert_eq!(reader.read(), [""; 0], "the first picture tells nothing");
        for n in 1..=nodes {
            reader.rig.node(n, "armed", 900, 4.0);
        }
        reader
    }

    fn read(&mut self) -> Vec<String> {
        let snapshot = self.rig.desk.snapshot(self.rig.now().wall);
        self.look(&snapshot)
    }

    fn look(&mut self, snapshot: &Snapshot) -> Vec<String> {
        self.chronicler.look(snapshot).into_iter().map(|happening| happening.text).collect()
    }

    /// A node with more fields than the kit's own.
    fn says(&mut self, n: u8, state: &str, more: serde_json::Value) -> Vec<String> {
        let mut said = status(n, state, 900, 4.0, self.rig.now().wall, &serde_json::Value::Null);
        for (field, value) in more.as_object().unwrap() {
            said[field] = value.clone();
        }
        self.rig.message(&format!("status/{}", ip(n)), said.to_string(), false);
        self.read()
    }
}

#[test]
fn takes_and_marks_are_told_once() {
    let mut reader = Reader::new(2);
    assert_eq!(reader.read(), ["left (192.168.1.101) is there", "left (192.168.1.102) is there"]);
    reader.rig.command("start", "A01");
    assert_eq!(reader.read(), ["A01 rolls on 2 cameras"]);
    assert_eq!(reader.read(), [""; 0]);
    let t0 = reader.rig.take().t0.unwrap();
    let at = t0.offset_us(100_000);
    reader.rig.command("mark", &json!({"at": at, "note": "he laughs"}).to_string());
    assert_eq!(reader.read(), ["mark 1 at 00:00:00.100: he laughs"]);
    reader.rig.command("mark", r#"{"n":1,"note":"he cries"}"#);
    assert_eq!(reader.read(), ["the note of mark 1 is now: he cries"]);
    reader.rig.command("mark", r#"{"n":1,"delete":true}"#);
    assert_eq!(reader.read(), ["mark 1 at 00:00:00.100 is deleted: he cries"]);
    reader.rig.command("mark", "\u{202e}two\nlines");
    assert!(reader.read()[0].ends_with(": \u{2068}\u{202e}two…\u{2069}"));
    reader.rig.pass(1_000);
    reader.rig.command("stop", "");
    let length = take_time(reader.rig.take().t1.unwrap().since_us(t0));
    assert_eq!(reader.read(), [format!("A01 is cut after {length}")]);
    reader.rig.node(1, "armed", 900, 4.0);
    reader.rig.command("start", "");
    assert_eq!(reader.read(), ["take_001 rolls on 2 cameras"], "the marks of the take before were not deleted");
}

#[test]
fn what_a_node_goes_through_is_told() {
    let mut reader = Reader::new(0);
    reader.says(1, "armed", json!({}));
    let hot = json!({"level":"warning","code":"hot","message":"the processor is at 81 °C","remedy":""});
    assert_eq!(
        reader.says(1, "armed", json!({"findings": [hot]})),
        ["left (192.168.1.101): \u{2068}the processor is at 81 °C\u{2069}"]
    );
    let hotter = json!({"level":"warning","code":"hot","message":"the processor is at 82 °C","remedy":""});
    assert_eq!(reader.says(1, "armed", json!({"findings": [hotter]})), [""; 0], "it is the same finding");
    assert_eq!(
        reader.says(1, "armed", json!({})),
        ["left (192.168.1.101), no longer: \u{2068}the processor is at 82 °C\u{2069}"]
    );
    let fault = json!({"code":"camera_exited","message":"the camera program ended"});
    let finding = json!({"level":"error","code":"camera_exited","message":"the camera program ended","remedy":""});
    assert_eq!(
        reader.says(1, "fault", json!({"fault": fault, "findings": [finding]})),
        ["left (192.168.1.101) cannot record: the camera program ended"]
    );
    let back = reader.says(1, "armed", json!({}));
    assert_eq!(
        back,
        ["left (192.168.1.101) is out of its fault", "left (192.168.1.101), no longer: the camera program ended"]
    );
    reader.rig.pass(12_001);
    assert_eq!(reader.read(), ["left (192.168.1.101) is gone"]);
    assert_eq!(reader.says(1, "starting", json!({})), ["left (192.168.1.101) is there"]);
}

#[test]
fn lost_frames_are_told_together() {
    let mut reader = Reader::new(1);
    reader.rig.command("start", "A");
    reader.read();
    let id = reader.rig.take().id.unwrap();
    let lost = |n: u64| json!({"take": id, "dropped": n});
    assert_eq!(reader.says(1, "rolling", lost(1)), [""; 0], "of a take that it was not known to record");
    assert_eq!(reader.says(1, "rolling", lost(1)), ["left (192.168.1.101) lost 1 frame"]);
    for n in 2..=9 {
        reader.rig.pass(1_000);
        assert_eq!(reader.says(1, "rolling", lost(n)), [""; 0]);
    }
    reader.rig.pass(2_000);
    assert_eq!(reader.says(1, "rolling", lost(9)), ["left (192.168.1.101) lost 8 frames"]);
    reader.says(1, "rolling", lost(12));
    let told = reader.says(1, "armed", json!({}));
    assert_eq!(told, ["left (192.168.1.101) lost 3 frames"], "at the end what was not told yet");
}

#[test]
fn downloads_the_library_and_notices_are_told() {
    let mut reader = Reader::new(1);
    reader.read();
    let mut snapshot = reader.rig.desk.snapshot(Wall::from_micros(NOON));
    let part = |state, error: Option<&str>| NodeDownload {
        bytes: 41_000_000,
        error: error.map(str::to_owned),
        ..NodeDownload::new(state, 6, 41_000_000)
    };
    let download = |state, error| Download {
        take: TakeName::new("A").unwrap(),
        state,
        nodes: [(ip(1), part(state, error))].into(),
        rate_bytes_s: None,
        left_s: None,
    };
    let table = [
        (DownloadState::Queued, None, None),
        (DownloadState::Running, None, Some("fetching A from left (192.168.1.101)")),
        (DownloadState::Failed, Some("rsync ended"), Some("A did not come from left (192.168.1.101): rsync ended")),
        (DownloadState::Running, None, Some("fetching A from left (192.168.1.101)")),
        (DownloadState::Done, None, Some("A is here from left (192.168.1.101): 6 files, 41.0 MB")),
    ];
    for (state, error, told) in table {
        snapshot.downloads = vec![download(state, error)];
        assert_eq!(reader.look(&snapshot), told.into_iter().collect::<Vec<_>>());
    }
    let file = |custody| crate::snapshot::FileEntry { name: "x".into(), bytes: 1, custody: Some(custody) };
    let take = |name: &str, custody| TakeSummary {
        take: TakeName::new(name).unwrap(),
        ids: vec![TakeId::try_from("A_20251023_140217".to_owned()).unwrap()],
        nodes: vec![crate::snapshot::NodeFiles { ip: ip(1), files: vec![file(custody)] }],
        bytes: 1,
        date: String::new(),
        length_ms: None,
        sync: Vec::new(),
    };
    snapshot.takes = [take("A", Custody::Verified)].into();
    assert_eq!(reader.look(&snapshot), [""; 0]);
    snapshot.takes = [take("A", Custody::DeletedOnNode)].into();
    assert_eq!(reader.look(&snapshot), ["left (192.168.1.101) deleted its copies of A: they are proven here"]);
    snapshot.takes = [take("B", Custody::DeletedOnNode)].into();
    assert_eq!(reader.look(&snapshot), ["A is called B now"]);
    snapshot.takes = Arc::default();
    snapshot.notices = vec!["the broker was replaced".into()];
    assert_eq!(reader.look(&snapshot), ["B is no longer in the downloads folder", "the broker was replaced"]);
}

#[test]
fn refusals_are_told_with_who_was_refused() {
    let mut reader = Reader::new(1);
    let result = reader.rig.command("stop", "");
    let told = Happening::refused(&result, "by anna").unwrap();
    assert_eq!(told.text, "STOP by anna is refused: no take is rolling: START one first");
    assert_eq!(result.error, Some(Refusal::new(ErrorCode::NotRolling, "no take is rolling: START one first")));
    assert_eq!(Happening::refused(&reader.rig.command("start", ""), "by MQTT"), None);
    reader.rig.on(Event::Tick);
}
