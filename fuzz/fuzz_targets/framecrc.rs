//! Lines of ffmpeg's index: no size that memory could not hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_node::framecrc::Line;

fuzz_target!(|line: &str| {
    if let Ok(Line::Packet(packet)) = line.parse() {
        assert!(packet.bytes <= 64 << 20);
        let flags = if packet.key { "" } else { ", F=0x0" };
        let plain = format!("0, {}, {}, 1, {}, 0x0{flags}", packet.pts, packet.pts, packet.bytes);
        assert_eq!(plain.parse(), Ok(Line::Packet(packet)));
    }
});
