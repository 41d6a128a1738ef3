//! No picture makes the slate's decoder fail, and what it reads says a time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_slate::finder::Finder;
use syncslate_slate::image::Luma;

fuzz_target!(|input: (u8, &[u8])| {
    let (width, pixels) = (usize::from(input.0).max(1), input.1);
    let height = pixels.len() / width;
    let mut finder = Finder::default();
    if let Some(luma) = Luma::new(width, height, &pixels[..width * height]) {
        for _ in 0..2 {
            let sight = finder.look(&luma);
            assert!(sight.is_none_or(|sight| sight.newest().is_some()));
        }
    }
});
