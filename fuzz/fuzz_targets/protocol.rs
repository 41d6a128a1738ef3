//! A payload that is read says the same when it is written and read again.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use syncslate_shared::manifest::Manifest;
use syncslate_shared::protocol::{
    ControllerStatus, CurrentTake, Download, Marks, NodeStatus, StatusMessage, read, write,
};

fuzz_target!(|data: (u8, &[u8])| {
    let (kind, payload) = data;
    match kind % 6 {
        0 => {
            if let Ok(StatusMessage::Node(status)) = StatusMessage::read(payload) {
                survives(&without_points(*status));
            }
        }
        1 => {
            if let Ok(current) = read::<CurrentTake>(payload) {
                survives(&current);
                if let Ok(take) = current.take() {
                    assert_eq!(CurrentTake::of(take.as_ref()).take(), Ok(take));
                }
            }
        }
        2 => survives_if_read::<Marks>(payload),
        3 => survives_if_read::<Download>(payload),
        4 => survives_if_read::<ControllerStatus>(payload),
        _ => {
            if let Ok(mut manifest) = read::<Manifest>(payload) {
                manifest.camera = None;
                survives(&manifest);
            }
        }
    }
});

/// Numbers with a point may differ in their last bit after a reading.
fn without_points(mut status: NodeStatus) -> NodeStatus {
    (status.fps, status.camera.fps, status.camera.ring_s, status.temp_c) = (0.0, 0.0, 0.0, None);
    status
}

fn survives_if_read<T: Serialize + DeserializeOwned + PartialEq + Debug>(payload: &[u8]) {
    if let Ok(value) = read::<T>(payload) {
        survives(&value);
    }
}

fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    assert_eq!(read::<T>(&write(value)).as_ref(), Ok(value));
}
