//! A topic name is a filter of itself, and lies below `#` and `+` unless it begins with `$`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_broker::topic::{check_filter, check_name, matches};

fuzz_target!(|data: (&str, &str)| {
    let (name, filter) = data;
    if check_name(name).is_err() {
        return;
    }
    if check_filter(name).is_ok() {
        assert!(matches(name, name));
        assert_eq!(matches(name, "#"), !name.starts_with('$'));
        assert_eq!(matches(name, "+"), !name.contains('/') && !name.starts_with('$'));
    }
    if check_filter(filter).is_ok() && matches(name, filter) && !filter.contains(['+', '#']) {
        assert_eq!(name, filter);
    }
});
