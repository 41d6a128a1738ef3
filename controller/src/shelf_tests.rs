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
