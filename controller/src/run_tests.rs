//! The loop with a real broker and real links: what a client sees.

use serde_json::{Value, json};
use syncslate_shared::command::{Command, CommandResult, ErrorCode};
use syncslate_shared::protocol::{ControllerStatus, CurrentTake, Departed, Marks, StatusMessage, TakeState, read};
use syncslate_shared::time::SystemClocks;

use syncslate_broker::accounts::Accounts;

use super::*;
use crate::kit::{ip, status};
use crate::rsync::Rsync;
use crate::settings::Ports;
use crate::size::Size;

/// A controller with a broker on a free port, and a client that hears everything.
struct Stage {
    folder: tempfile::TempDir,
    controller: Controller,
    client: Link,
    heard: mpsc::Receiver<LinkEvent>,
}

impl Stage {
    async fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(folder: tempfile::TempDir) -> Self {
        let settings = Settings {
            file: None,
            home_assistant: None,
            broker: BrokerChoice::Embedded(Ports::plain("127.0.0.1:0".parse().unwrap())),
            accounts: Accounts::default(),
            prefix: "stage".into(),
            http: "127.0.0.1:0".parse().unwrap(),
            downloads: folder.path().join("downloads"),
            state: folder.path().join("state"),
            export: crate::export_settings::ExportSection::default(),
            report: crate::report_settings::ReportSection::default().read().unwrap(),
            rsync: Rsync::new(format!("{}/nodes/{{ip}}/", folder.path().display()).parse().unwrap()),
            reserve: Size(0),
            patience: Duration::from_secs(60),
            segment_s: 7,
            roster: Vec::new(),
            require_ready: false,
            parallel: 4,
            while_rolling: false,
        };
        let controller = Controller::start(settings, Arc::new(SystemClocks)).await.unwrap();
        let (client, heard) = Link::open(LinkSettings {
            broker: controller.mqtt().clone(),
            access: Access::default(),
            client: "operator".into(),
            prefix: "stage".into(),
            subscriptions: vec!["#".into()],
            will: None,
        });
        Self { folder, controller, client, heard }
    }

    /// Waits for the first message on `topic` that `fits`.
    async fn hear<T>(&mut self, topic: &str, fits: impl Fn(&[u8]) -> Option<T>) -> T {
        let wait = async {
            loop {
                match self.heard.recv().await.unwrap() {
                    LinkEvent::Message { topic: on, payload, .. } if on == topic => match fits(&payload) {
                        Some(found) => return found,
                        None => continue,
                    },
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("nothing on {topic}"))
    }

    async fn answer(&mut self, id: &str) -> CommandResult {
        self.hear("cmd/result", |json| read(json).ok().filter(|r: &CommandResult| r.id == Some(id.into()))).await
    }

    async fn node(&mut self, n: u8) {
        let words = status(n, "armed", 900, 4.0, SystemClocks.wall(), &Value::Null).to_string();
        assert!(StatusMessage::read(words.as_bytes()).is_ok());
        self.client.say(&Topic::Status(ip(n)), words.into_bytes());
        let mut snapshot = self.controller.door().snapshot.clone();
        let there = snapshot.wait_for(|s| s.nodes.iter().any(|node| node.ip == ip(n)));
        tokio::time::timeout(Duration::from_secs(30), there).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_by_mqtt_alone() {
    let mut stage = Stage::new().await;
    let online = stage.hear("controller", |json| read::<ControllerStatus>(json).ok()).await;
    assert_eq!(online.state, Presence::Online);
    stage.node(1).await;
    stage.client.say(&Topic::Start, br#"{"take":"A","id":"1"}"#.to_vec());
    let take = stage
        .hear("take/current", |json| read::<CurrentTake>(json).ok().filter(|take| take.state == TakeState::Rolling))
        .await;
    assert_eq!((take.nodes, take.segment_s), (Some(vec![ip(1)]), Some(7)));
    assert!(stage.answer("1").await.ok);
    stage.client.say(&Topic::Mark, b"he laughs".to_vec());
    let marks = stage.hear("take/marks", |json| read::<Marks>(json).ok().filter(|m| !m.marks.is_empty())).await;
    assert_eq!(marks.marks[0].note, "he laughs");
    stage.client.say(&Topic::Start, vec![b'x'; 10_000_000]);
    let huge = stage.hear("cmd/result", |json| read::<CommandResult>(json).ok().filter(|r| !r.ok)).await;
    assert_eq!(huge.error.unwrap().code, ErrorCode::Malformed);
    stage.client.say(&Topic::Stop, br#"{"id":"2"}"#.to_vec());
    assert_eq!(stage.answer("2").await.take, take.id);

    let name = format!("A_192_168_1_101_{}", take.stamp.unwrap());
    let folder = stage.folder.path().join("nodes").join(ip(1).to_string());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}_markers.txt")), "# none\n").unwrap();
    stage.client.say(&Topic::Download, br#"{"take":"A","id":"3"}"#.to_vec());
    assert!(stage.answer("3").await.ok);
    let done = |json: &[u8]| read::<Value>(json).ok().filter(|d| d["state"] == json!("done"));
    stage.hear("download/A", done).await;
    let mut snapshot = stage.controller.door().snapshot.clone();
    tokio::time::timeout(Duration::from_secs(30), snapshot.wait_for(|s| !s.takes.is_empty())).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_middle_of_a_take_goes_on() {
    let mut stage = Stage::new().await;
    stage.node(1).await;
    let ask = async |door: &Door, word: &str, payload: &str| {
        let (answer, answered) = oneshot::channel();
        door.requests
            .send(Request { command: Command::read(word, payload.as_bytes()), who: None, answer })
            .await
            .unwrap();
        tokio::time::timeout(Duration::from_secs(30), answered).await.unwrap().unwrap()
    };
    assert!(ask(stage.controller.door(), "start", "A").await.ok);
    assert!(ask(stage.controller.door(), "mark", "one").await.ok);
    stage.hear("cmd/result", |json| read::<CommandResult>(json).ok().filter(|r| r.cmd == "mark")).await;
    let Stage { folder, controller, client, .. } = stage;
    controller.stop().await;
    client.close().await;
    let mut stage = Stage::on(folder).await;
    let rolling = |json: &[u8]| read::<CurrentTake>(json).ok().filter(|take| take.state == TakeState::Rolling);
    stage.hear("take/current", rolling).await;
    assert!(ask(stage.controller.door(), "mark", "two").await.ok);
    assert_eq!(stage.controller.door().snapshot.borrow().marks.marks.len(), 2);
    assert!(ask(stage.controller.door(), "stop", "").await.ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_retained_survives_a_restart_and_a_dead_node_does_not() {
    let mut stage = Stage::new().await;
    let old = SystemClocks.wall() - Duration::from_secs(60);
    let words = status(1, "armed", 900, 4.0, old, &Value::Null).to_string();
    stage.client.say(&Topic::Status(ip(1)), words.into_bytes());
    let offline = |json: &[u8]| read::<Value>(json).ok().filter(|status| status["state"] == json!("offline"));
    // Its words were new to the controller: it has 12 s to speak again.
    stage.hear(&format!("status/{}", ip(1)), |_| Some(())).await;
    let Stage { folder, controller, client, .. } = stage;
    client.close().await;
    controller.stop().await;
    let kept = std::fs::read(folder.path().join("state/retained")).unwrap();
    assert!(kept.windows(7).any(|words| words == b"status/"), "the broker keeps it");
    let mut stage = Stage::on(folder).await;
    stage.hear(&format!("status/{}", ip(1)), offline).await;
}

#[tokio::test]
async fn a_look_asks_the_node_for_pictures_and_shows_what_it_sends() {
    use crate::previews::Size;
    use syncslate_shared::preview::Lease;

    let mut stage = Stage::new().await;
    stage.node(1).await;
    let door = stage.controller.door().clone();
    assert_eq!(door.viewfinder.look(ip(1), Size::Usual), None);
    let lease = stage.hear("cmd/preview", |json| Lease::read(json).ok()).await;
    assert!(lease.is_for(ip(1)) && !lease.is_for(ip(2)));
    let wait = async {
        loop {
            stage.client.say(&Topic::Preview(ip(1)), vec![0xff, 0xd8, 7]);
            if let Some(shown) = door.viewfinder.look(ip(1), Size::Usual) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let shown = tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
    assert_eq!(shown.jpeg.as_ref(), [0xff, 0xd8, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_connections_will_is_contradicted_for_as_long_as_one_can_come() {
    let mut stage = Stage::new().await;
    let (topic, will) = (Topic::Status(ip(1)), write(&Departed::of(ip(1))));
    let (node, mut ear) = Link::open(LinkSettings {
        broker: stage.controller.mqtt().clone(),
        access: Access::default(),
        client: "node".into(),
        prefix: "stage".into(),
        subscriptions: vec!["take/+".into()],
        will: Some((topic.clone(), will.clone())),
    });
    let armed = status(1, "armed", 900, 4.0, SystemClocks.wall(), &Value::Null).to_string();
    node.say(&topic, armed.clone().into_bytes());
    let at = topic.to_string();
    let wait = stage.hear(&at, |json| (json == armed.as_bytes()).then_some(()));
    wait.await;
    stage.client.correct(&topic, will.clone());
    stage.hear(&at, |json| (json == will).then_some(())).await;
    stage.hear(&at, |json| (json == armed.as_bytes()).then_some(())).await;
    // Later it does not hear its own words any more, so this stays.
    let stays = async {
        loop {
            stage.client.correct(&topic, will.clone());
            stage.hear(&at, |json| (json == will).then_some(())).await;
            let back = stage.hear(&at, |json| (json == armed.as_bytes()).then_some(()));
            if tokio::time::timeout(Duration::from_secs(1), back).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), stays).await.unwrap();
    while let Ok(event) = ear.try_recv() {
        assert!(!matches!(&event, LinkEvent::Message { topic, .. } if *topic == at), "{event:?}");
    }
}
