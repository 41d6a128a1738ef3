//! Turning nodes off from the controller.

use serde_json::json;
use syncslate_e2e::process::wait_for;
use syncslate_e2e::rig::Rig;

use crate::{expect_others_whole, time};

#[test]
fn nodes_are_turned_off_on_order_but_not_in_the_middle_of_a_take() {
    let folder = tempfile::tempdir().unwrap();
    // The stand-in for systemd leaves a file; the third node's user may not turn it off.
    let power = |i: usize| {
        let script = if i == 3 {
            "echo Access denied >&2; exit 1".into()
        } else {
            format!("echo $0 >> {}/off{i}", folder.path().display())
        };
        format!(
            "[power]\nshutdown = [\"sh\", \"-c\", \"{script}\", \"shutdown\"]\nreboot = [\"sh\", \"-c\", \"{script}\", \"reboot\"]\n"
        )
    };
    let rig = Rig::new()
        .node("phase_ms=3")
        .with(&power(1))
        .node("phase_ms=14")
        .with(&power(2))
        .node("phase_ms=25")
        .with(&power(3))
        .up("armed");
    let done = |i: usize| std::fs::read_to_string(folder.path().join(format!("off{i}"))).unwrap_or_default();
    rig.roll("busy");
    rig.recorded(1, 30);
    assert_eq!(rig.ask("shutdown", "")["error"]["code"], json!("already_rolling"));
    assert_eq!(rig.ask("reboot", r#"{"nodes":["127.0.1.102"],"force":true,"id":"r"}"#)["ok"], json!(true));
    assert_eq!((done(1).as_str(), done(2).as_str()), ("", "reboot\n"));
    let idle = rig.cut();
    expect_others_whole(&rig, &idle, &[]);
    assert!(time(&idle["t1"]) > time(&idle["t0"]));
    wait_for("the nodes to close their files", || (1..=3).all(|i| rig.finished(i, &idle).manifest().is_some()));
    let answer = rig.ask("shutdown", "");
    assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!("internal")), "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("127.0.1.103: ") && message.contains("Access denied"), "{message}");
    assert_eq!((done(1).as_str(), done(2).as_str()), ("shutdown\n", "reboot\nshutdown\n"));
}
