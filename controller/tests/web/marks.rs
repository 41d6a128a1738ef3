//! Marks on the pages and as a spreadsheet: of the take that rolls, of older ones whose footage is here.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use syncslate_shared::files::{Base, Kind};
use syncslate_shared::protocol::CurrentTake;

use crate::client::Site;
use crate::stage::{T0, armed, id, ip, mark, on_disk, rolling};

/// A manifest with one mark where `on_disk` says that there is one.
fn manifest(downloads: &Path, name: &str, note: &str) {
    let (id, ip) = (id(name, T0), ip(1));
    let marks = json!([{"n":4,"at":T0.offset_us(1_500_000),"note":note,"frame":45,"segment":0}]);
    let manifest = json!({"v":1,"take":name,"id":id,"stamp":id.stamp,"ip":ip,"name":"left","t0":T0,"t1":T0.offset_us(9_000_000),
        "segment_s":60,"camera":null,"encoder":null,"stamps":null,"clock_at_roll":null,"clock_at_cut":null,"skew_us":null,
        "lead_in_frames":0,"frames":9,"segments":[],"gaps":[],"marks":marks,"finished":true,"version":"0.1.0"});
    let node = downloads.join(name).join(ip.to_string());
    std::fs::create_dir_all(&node).unwrap();
    std::fs::write(node.join(Base { id, ip }.file(Kind::Manifest)), manifest.to_string()).unwrap();
}

#[tokio::test]
async fn the_marks_of_the_last_take_are_a_spreadsheet_also_before_its_footage_is_here() {
    let mut snapshot = rolling(1, "A01", T0);
    mark(&mut snapshot, 4_100_000, "he said \"no\", twice");
    mark(&mut snapshot, 5_000_000, "=1+1");
    let site = Site::open(snapshot).await;
    let sheet = site.get("/api/takes/A01/marks.csv").await;
    assert_eq!(
        (sheet.status, sheet.header("content-disposition")),
        (200, Some("attachment; filename=\"A01_marks.csv\""))
    );
    assert!(sheet.header("content-type").unwrap().starts_with("text/csv"));
    let lines: Vec<&str> = sheet.body.split("\r\n").collect();
    assert_eq!(lines[0], "take,n,time,take_time,note");
    assert!(
        lines[1].ends_with(",1,2025-10-23T12:02:14.600000Z,00:00:04.100,\"he said \"\"no\"\", twice\""),
        "{}",
        lines[1]
    );
    assert!(lines[2].ends_with(",\"'=1+1\""), "{}", lines[2]);
    assert_eq!(site.json("/api/takes/A01/marks").await["takes"][0]["marks"][1]["note"], "=1+1");
    for (path, status) in
        [("/api/takes/B/marks.csv", 404), ("/api/takes/../marks.csv", 400), ("/api/takes/-x/marks", 400)]
    {
        assert_eq!(site.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn an_older_take_shows_its_marks_with_their_buttons() {
    let folder = tempfile::tempdir().unwrap();
    manifest(folder.path(), "A01", "<b>he laughs</b>");
    let mut snapshot = armed(1);
    snapshot.takes = [on_disk("A01", T0, 1)].into();
    let site = Site::with_downloads(snapshot.clone(), folder.path()).await;
    let page = site.get("/takes/A01").await.body;
    assert!(page.contains(&format!("data-marks=\"{}\"", id("A01", T0))), "{page}");
    for words in [
        "&lt;b&gt;he laughs&lt;/b&gt;",
        "00:00:01.500",
        "Edit the note of mark 4",
        "Delete mark 4",
        "/api/takes/A01/marks.csv",
    ] {
        assert!(page.contains(words), "{words}");
    }
    // What was changed here counts, and a list that is damaged is said by its name.
    let list = folder.path().join("A01").join(format!("{}_marks.json", id("A01", T0)));
    std::fs::write(&list, json!({"v":1,"id":id("A01", T0),"marks":[]}).to_string()).unwrap();
    assert!(site.get("/takes/A01").await.body.contains("No mark was made"));
    std::fs::write(&list, "garbage").unwrap();
    let answer = site.get("/api/takes/A01/marks").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert!(answer.body.contains("_marks.json are damaged"), "{}", answer.body);
}

#[tokio::test]
async fn a_renamed_take_shows_its_marks_once() {
    let mut snapshot = rolling(1, "A01", T0);
    mark(&mut snapshot, 1_000_000, "only one");
    let mut take = snapshot.take.take().unwrap().unwrap();
    take.t1 = Some(T0.offset_us(9_000_000));
    snapshot.take = CurrentTake::of(Some(&take));
    snapshot.takes = [on_disk("A01", T0, 1)].into();
    Arc::make_mut(&mut snapshot.takes)[0].take = syncslate_shared::take::TakeName::new("wide").unwrap();
    let site = Site::open(snapshot).await;
    assert_eq!(site.get("/api/takes/wide/marks.csv").await.body.matches("only one").count(), 1);
    assert_eq!(
        site.get("/takes/wide").await.body.matches("class=\"note\" dir=\"auto\" data-text=\"note\">only one<").count(),
        1
    );
}
