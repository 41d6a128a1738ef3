//! Names that are read are what was written, and no name leads out of its folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_shared::files::Base;
use syncslate_shared::take::{Stamp, TakeId, TakeName};

fuzz_target!(|text: &str| {
    if let Ok(name) = TakeName::new(text) {
        assert_eq!(name.as_str(), text);
        harmless(text);
        if let Some(n) = name.number() {
            assert_eq!(TakeName::numbered(n), name);
        }
    }
    if let Ok(stamp) = Stamp::try_from(text.to_owned()) {
        assert_eq!((stamp.as_str(), stamp.as_str().len()), (text, Stamp::LEN));
        assert!(!stamp.readable().is_empty());
    }
    if let Ok(id) = TakeId::try_from(text.to_owned()) {
        assert_eq!(id.to_string(), text);
    }
    if let Some((base, kind)) = Base::parse(text) {
        assert_eq!(base.file(kind), text);
        harmless(text);
    }
});

fn harmless(name: &str) {
    assert!(!name.contains(['/', '\\', '\0', ' ', '\n']) && !name.starts_with(['.', '-']));
}
