use super::*;

/// A folder of one node whose files hold what is given.
struct Take {
    folder: tempfile::TempDir,
}

impl Take {
    fn new(table: &str, footage: &[u8]) -> Self {
        let take = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(take.folder.path().join("10.0.0.1")).unwrap();
        take.put("_take.json", &serde_json::to_vec(&crate::kit::manifest(30.0)).unwrap());
        take.put("_frames.csv", table.as_bytes());
        take.put("_000000.h264", footage);
        take
    }

    fn put(&self, end: &str, bytes: &[u8]) {
        let name = format!("A_10_0_0_1_20251023_140210{end}");
        std::fs::write(self.folder.path().join("10.0.0.1").join(name), bytes).unwrap();
    }

    fn read(&self) -> Result<Footage, String> {
        let id = TakeId::try_from("A_20251023_140210".to_owned()).unwrap();
        assert_eq!(nodes(self.folder.path(), &id), [Ipv4Addr::new(10, 0, 0, 1)]);
        read(self.folder.path(), &id, Ipv4Addr::new(10, 0, 0, 1))
    }

    fn refused(&self) -> String {
        self.read().unwrap_err().replace(&self.folder.path().display().to_string(), "…")
    }
}

fn lines(lines: &[&str]) -> String {
    format!("{FRAMES_HEADER}\n{}", lines.join("\n"))
}

#[test]
fn frames_are_read_where_the_table_says() {
    let take = Take::new(&lines(&["0,0,0,3,1,7", "1,0,3,2,0,8", "2,0,7,1,0,9", ""]), b"abcdeXXf");
    let footage = take.read().unwrap();
    let mut frames = footage.frames();
    let mut found = Vec::new();
    while let Some(bytes) = frames.read().unwrap() {
        found.push(String::from_utf8(bytes.to_vec()).unwrap());
    }
    assert_eq!(found, ["abc", "de", "f"]);
    assert_eq!((footage.notes.len(), footage.inputs().len()), (0, 3));
}

#[test]
fn a_torn_last_line_is_left_out_and_said() {
    let take = Take::new(&lines(&["0,0,0,3,1,7", "1,0,3"]), b"abc");
    let footage = take.read().unwrap();
    assert_eq!(footage.rows.len(), 1);
    assert!(footage.notes[0].contains("line 3 of its frame table has no end"), "{:?}", footage.notes);
    assert_eq!(Take::new("", b"").read().unwrap().rows, []);
}

#[test]
fn what_is_damaged_is_named_with_file_and_line() {
    let table = "…/10.0.0.1/A_10_0_0_1_20251023_140210_frames.csv";
    for (text, why) in [
        (
            lines(&["0,0,0,3,1,7", "1,0,x,2,0,8", ""]),
            format!("{table} is damaged in line 3: column `offset`: `x` is no number"),
        ),
        ("a,b\n".to_owned(), format!("{table} is damaged in line 1: it is not `{FRAMES_HEADER}`")),
        (
            lines(&["0,0,0,3,1,7", "1,0,2,2,0,8", ""]),
            format!("{table} does not fit its footage at frame 1: it begins at byte 2"),
        ),
        (
            lines(&["0,0,0,99,1,7", ""]),
            format!(
                "{table} does not fit its footage at frame 0: …/10.0.0.1/A_10_0_0_1_20251023_140210_000000.h264 has 3 bytes, not 99"
            ),
        ),
        (
            lines(&["0,1,0,3,1,7", ""]),
            "a footage file is not here (…/10.0.0.1/A_10_0_0_1_20251023_140210_000001.h264)".to_owned(),
        ),
        (lines(&["0,0,0,0,1,7", ""]), "it has 0 bytes".to_owned()),
        (lines(&[&"9".repeat(400)]), "line 2: it is too long".to_owned()),
    ] {
        let refused = Take::new(&text, b"abc").refused();
        assert!(refused.contains(&why), "{refused}\nis not\n{why}");
    }
    let take = Take::new(&lines(&[""]), b"");
    take.put("_take.json", b"{");
    assert!(take.refused().starts_with("the manifest …/10.0.0.1/A_10_0_0_1_20251023_140210_take.json is damaged: "));
}
