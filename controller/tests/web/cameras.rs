//! The page about cameras: what they have, where they differ, what can be set, in words and without being set on fire by
//! hostile names.

use serde_json::{Value, json};
use syncslate_controller::snapshot::Snapshot;
use syncslate_shared::camera::{CameraWishes, Changes, Key, Settings};
use syncslate_shared::command::{CameraWish, ErrorCode, Refusal, Wish};
use syncslate_shared::protocol::{Level, NodeState};

use crate::client::Site;
use crate::commands::answered;
use crate::stage::{T0, armed, empty, finding, ip, node, rolling, words};

fn set(snapshot: &mut Snapshot, n: usize, actual: Value) {
    let camera = &mut words(&mut snapshot.nodes[n]).unwrap().camera;
    let mut has = camera.actual.clone().unwrap_or_default();
    has.0.extend(serde_json::from_value::<Settings>(actual).unwrap().0);
    camera.actual = Some(has);
}

async fn view(snapshot: Snapshot) -> Value {
    Site::open(snapshot).await.events("/cameras/live").await.next().await.unwrap().1
}

#[tokio::test]
async fn cameras_that_are_alike_are_said_to_be() {
    let view = view(armed(3)).await;
    assert_eq!(view["differing"], "All cameras that are on are set alike.");
    let row = &view["cameras"][0];
    let cells = ["name", "size", "rate", "bits", "exposure", "gain", "balance", "focus", "exposure_note", "can_match"];
    assert_eq!(
        cells.map(|cell| row[cell].as_str().unwrap()),
        [
            "left",
            "1920 × 1080",
            "30 fps",
            "8 Mbit/s",
            "1/100 s (9979 µs)",
            "1.5",
            "red 1.58, blue 2.102",
            "0.5 dioptres",
            "automatic",
            "yes"
        ]
    );
    assert_eq!((&row["v_width"], &row["v_bitrate"], &row["v_gain"]), (&json!("1920"), &json!("8"), &json!("auto")));
}

#[tokio::test]
async fn the_odd_one_out_is_marked_in_words() {
    let mut snapshot = armed(4);
    set(&mut snapshot, 1, json!({"fps": 25}));
    set(&mut snapshot, 2, json!({"exposure_us": 20_000}));
    let wished = serde_json::from_value(json!({"exposure_us": 10_000, "awb": {"red": 1.58, "blue": 2.1}})).unwrap();
    snapshot.cameras.wishes.insert(ip(3), wished);
    finding(&mut snapshot.nodes[2], Level::Warning, "settings_missed", "its exposure is 1/50 s");
    snapshot.nodes[3] = node(4, NodeState::Offline);
    let view = view(snapshot).await;
    assert_eq!(view["differing"], "The cameras differ in: frame rate, exposure.");
    let (second, third, gone) = (&view["cameras"][1], &view["cameras"][2], &view["cameras"][3]);
    assert_eq!(
        (&second["rate"], &second["rate_note"], &second["rate_is"]),
        (&json!("25 fps"), &json!("differs"), &json!("differs"))
    );
    assert_eq!(third["exposure_note"], "differs · wished: 1/100 s (10000 µs)");
    assert_eq!(
        (&third["v_exposure_us"], &third["v_awb"], &third["v_focus"]),
        (&json!("10000"), &json!("1.58/2.1"), &json!("auto"))
    );
    assert_eq!((&third["problem"], &third["balance_note"]), (&json!("its exposure is 1/50 s"), &json!("")));
    assert_eq!((&gone["size"], &gone["can_match"], &gone["word"]), (&json!("–"), &json!("no"), &json!("offline")));
}

#[tokio::test]
async fn only_what_a_camera_has_is_offered() {
    let mut snapshot = armed(2);
    words(&mut snapshot.nodes[0]).unwrap().camera.can.as_mut().unwrap().0.remove(&Key::Focus);
    words(&mut snapshot.nodes[1]).unwrap().camera.can = None;
    let view = view(snapshot).await;
    assert_eq!(view["cameras"][0]["has"], "width height fps bitrate exposure_us gain awb");
    assert_eq!(view["cameras"][1]["has"], "width height fps bitrate exposure_us gain awb focus");
}

#[tokio::test]
async fn while_a_take_rolls_the_page_says_why_nothing_can_be_set() {
    assert_eq!(view(armed(1)).await["locked"], "");
    let rolling = rolling(2, "A01", T0);
    let locked = "The take A01 is rolling: cameras can be set after STOP.";
    assert_eq!(view(rolling.clone()).await["locked"], locked);
    assert!(Site::open(rolling).await.get("/cameras").await.body.contains(locked));
}

#[tokio::test]
async fn the_page_is_there_without_cameras_and_escapes_everything() {
    let page = Site::open(empty()).await.get("/cameras").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("No camera has been heard of yet") && page.body.contains("value=\"60\""));
    let mut snapshot = armed(1);
    words(&mut snapshot.nodes[0]).unwrap().name = "<script>alert(1)</script>\"'".into();
    let page = Site::open(snapshot).await.get("/cameras").await.body;
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>alert"));
    assert!(!page.contains("style=") && !page.contains("http://"));
}

#[tokio::test]
async fn a_post_is_the_command() {
    let body = r#"{"nodes":["192.168.1.101"],"settings":{"width":640}}"#;
    let (answer, wish) = answered("camera", body, Ok(())).await;
    assert_eq!(answer.status, 200);
    let to = CameraWish::Values(Changes::from(serde_json::from_str::<Settings>(r#"{"width":640}"#).unwrap()));
    assert_eq!(wish, Ok(Wish::Camera { nodes: Some(vec![ip(1)]), to, segment_s: None }));

    let (answer, _) = answered("camera", r#"{"settings":{"width":641}}"#, Ok(())).await;
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &json["error"]["code"]), (400, &json!("invalid_setting")));
    assert_eq!(json["error"]["message"], "`width`: 641 is no even number of pixels");
    let rolling = Refusal::new(ErrorCode::AlreadyRolling, "the take A01 is rolling: cameras are set after STOP");
    assert_eq!(answered("camera", body, Err(rolling)).await.0.status, 409);
    assert_eq!(Site::open(armed(1)).await.get("/api/camera").await.status, 405);
}

#[test]
fn what_a_node_hears_is_what_stands_in_the_contract() {
    let json =
        br#"{"v":1,"ip":"192.168.1.101","settings":{"width":640,"gain":1.5},"at":"2025-10-23T12:02:10.500000Z"}"#;
    let wishes: CameraWishes = syncslate_shared::protocol::read(json).unwrap();
    assert_eq!(String::from_utf8_lossy(&syncslate_shared::protocol::write(&wishes)), String::from_utf8_lossy(json));
}
