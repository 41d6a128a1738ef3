//! The list follows the folder.

use super::*;

#[tokio::test]
async fn the_list_is_what_is_on_disk() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("video_downloads");
    let (told, mut lists) = mpsc::unbounded_channel();
    let watcher = tokio::spawn(watch(folder.clone(), move |list| {
        let _ = told.send(list);
    }));
    let mut next = async || tokio::time::timeout(Duration::from_secs(30), lists.recv()).await.unwrap().unwrap();
    assert!(next().await.is_empty());
    let inner = folder.join("A/10.0.0.1");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("photo.jpg"), "foreign").unwrap();
    fs::write(inner.join("A_10_0_0_1_20251023_140210_000000.h264"), "footage").unwrap();
    let list = next().await;
    assert_eq!((list[0].take.as_str(), list[0].nodes[0].files.len()), ("A", 1));
    fs::remove_dir_all(folder.join("A")).unwrap();
    while !next().await.is_empty() {}
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    watcher.abort();
}

#[test]
fn only_what_has_changed_is_read_again() {
    let downloads = tempfile::tempdir().unwrap();
    let footage =
        |take: &str| downloads.path().join(format!("{take}/10.0.0.1/{take}_10_0_0_1_20251023_140210_000000.h264"));
    for take in ["A", "B"] {
        fs::create_dir_all(footage(take).parent().unwrap()).unwrap();
        fs::write(footage(take), "footage").unwrap();
    }
    let mut shelf = Shelf::default();
    let only = |take: &str| Some([TakeName::new(take).unwrap()].into());
    assert!(shelf.look(downloads.path(), None) && !shelf.look(downloads.path(), None));

    fs::write(footage("A"), "more footage").unwrap();
    fs::write(downloads.path().join("B/notes.txt"), "foreign").unwrap();
    assert!(!shelf.look(downloads.path(), only("B")), "a foreign file is no news");
    assert_eq!(shelf.list().iter().map(|take| take.bytes).sum::<u64>(), 14);
    assert!(shelf.look(downloads.path(), only("A")));
    assert_eq!(shelf.list().iter().map(|take| take.bytes).sum::<u64>(), 19);

    fs::remove_dir_all(downloads.path().join("A")).unwrap();
    assert!(shelf.look(downloads.path(), None) && !shelf.look(downloads.path(), None));
    assert_eq!(shelf.list().len(), 1);
}

#[test]
fn paths_tell_their_takes() {
    let takes = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(PathBuf::from).collect();
        takes_of(Path::new("/d"), &paths).map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(takes(&["/d/A/10.0.0.1/file", "/d/B", "/d", "/d/.trash/x"]), Some(vec!["A".into(), "B".into()]));
    assert_eq!(takes(&["/d/A", "/elsewhere/C"]), None, "anything may have happened");
}

#[tokio::test]
async fn a_folder_named_from_here_is_watched_too() {
    let outer = tempfile::tempdir_in(".").unwrap();
    let folder = Path::new(".").join(outer.path().file_name().unwrap());
    let touched = Arc::new(Mutex::new(Some(BTreeSet::new())));
    let (changed, mut changes) = mpsc::channel(1);
    let _watcher = start_watching(&folder, Arc::clone(&touched), changed).unwrap();
    fs::create_dir(folder.join("A")).unwrap();
    tokio::time::timeout(Duration::from_secs(30), changes.recv()).await.unwrap().unwrap();
    assert_eq!(*touched.lock().unwrap(), Some([TakeName::new("A").unwrap()].into()));
}
