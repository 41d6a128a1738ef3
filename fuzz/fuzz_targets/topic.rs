//! A topic that is read survives its text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_shared::topic::Topic;

fuzz_target!(|text: &str| {
    if let Some(topic) = Topic::parse(text) {
        assert_eq!(topic.to_string(), text);
        assert_eq!(topic.row().is_none(), matches!(topic, Topic::UnknownCommand(_)));
    }
});
