//! Records of the Pi camera's metadata: a stamp is a wall clock, and a record ends with its empty line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_node::camera::rpicam::metadata::RecordReader;
use syncslate_shared::time::Wall;

fuzz_target!(|data: (&str, i64)| {
    let (text, offset) = data;
    let mut reader = RecordReader::default();
    for line in text.lines() {
        match reader.line(line) {
            Ok(Some(record)) => {
                assert!(line.is_empty());
                if let Some(time) = record.time(|| offset) {
                    assert_eq!(Wall::parse(&time.to_string()), Ok(time));
                }
                assert_eq!(record.time(|| offset).is_some(), record.wall.is_some() || record.boottime_us.is_some());
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
});
