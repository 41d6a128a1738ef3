//! Digests that are read survive their line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_shared::files::{Base, digest_line, parse_digests};

fuzz_target!(|text: &str| {
    for (file, sha256) in parse_digests(text) {
        assert!(sha256.len() == 64 && !file.contains('/'));
        if Base::parse(&file).is_some() {
            assert_eq!(parse_digests(&digest_line(&sha256, &file)), [(file, sha256)]);
        }
    }
});
