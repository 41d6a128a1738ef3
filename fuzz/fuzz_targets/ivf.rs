//! Headers of the IVF container are what was written, and hold what a camera may say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_node::ivf::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader};

fuzz_target!(|data: ([u8; FILE_HEADER_BYTES], [u8; FRAME_HEADER_BYTES], u16, u16, u64)| {
    let (file, frame, width, height, pts) = data;
    if let Ok(header) = FileHeader::parse(&file) {
        // The last eight bytes, a number of frames and a reserve, are passed over.
        assert_eq!(header.bytes()[..24], file[..24]);
    }
    if let Ok(header) = FileHeader::new(width.into(), height.into()) {
        assert_eq!(FileHeader::parse(&header.bytes()), Ok(header));
        let mut framed = frame;
        framed[..4].copy_from_slice(&u32::try_from(header.picture_bytes()).expect("it fits").to_le_bytes());
        framed[4..].copy_from_slice(&pts.to_le_bytes());
        for bytes in [frame, framed] {
            if let Ok(read) = header.parse_frame(&bytes) {
                assert_eq!(header.frame_bytes(read.time), bytes);
            }
        }
    }
});
