//! The unit splitter loses no byte, and cuts at the same places however the bytes come.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_node::h264::{Splitter, Unit, is_idr, nals, parameter_sets};

fuzz_target!(|data: (u8, &[u8])| {
    let (step, bytes) = data;
    // Few values are worth anything here: more start codes, more kinds of unit.
    let bytes: Vec<u8> = bytes.iter().flat_map(|b| if *b == 0xaa { vec![0, 0, 1] } else { vec![*b] }).collect();
    let (whole, rest) = split(&bytes, bytes.len().max(1));
    assert_eq!(split(&bytes, usize::from(step % 7) + 1), (whole.clone(), rest.clone()));
    let joined: Vec<u8> = whole.iter().chain(&rest).flat_map(|unit| unit.data.to_vec()).collect();
    assert!(bytes.starts_with(&joined));
    if rest.is_some() {
        assert_eq!(joined, bytes);
    }
    for unit in &whole {
        assert_eq!(unit.key, is_idr(&unit.data));
        assert!(nals(&unit.data).all(|nal| nal.len() <= unit.data.len()));
        if let Some(sets) = parameter_sets(&unit.data) {
            assert_eq!(parameter_sets(&sets).as_ref(), Some(&sets));
        }
    }
});

fn split(bytes: &[u8], step: usize) -> (Vec<Unit>, Option<Unit>) {
    let mut splitter = Splitter::default();
    let units = bytes.chunks(step).flat_map(|piece| splitter.push(piece).expect("it is short")).collect();
    (units, splitter.finish())
}
