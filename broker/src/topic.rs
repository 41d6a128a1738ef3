//! Topic names and filters: what is allowed, and which belongs to which.
//!
//! Pure. rumqttd accepts publishes to `a/+` and to an empty topic and filters such as `a/#/b`, and its own matching
//! panics on a name that starts with a non-ASCII character (`protocol/mod.rs:658`), so nothing gets past here unchecked.

/// The deepest topic or filter, in levels. Trees are walked by recursion, so their depth must have a bound.
pub const MAX_LEVELS: usize = 200;

/// A name that a message may be published to.
pub fn check_name(topic: &str) -> Result<(), &'static str> {
    if topic.is_empty() {
        return Err("a topic may not be empty");
    }
    if topic.contains(['+', '#']) {
        return Err("a topic may not hold a wildcard");
    }
    if topic.contains('\0') {
        return Err("a topic may not hold U+0000");
    }
    if topic.split('/').count() > MAX_LEVELS {
        return Err("a topic may not have more than 200 levels");
    }
    Ok(())
}

/// A filter that may be subscribed to, also one of a shared subscription.
pub fn check_filter(filter: &str) -> Result<(), &'static str> {
    if filter.len() > 65_535 {
        return Err("a filter may not be longer than 65,535 bytes");
    }
    if filter.contains('\0') {
        return Err("a filter may not hold U+0000");
    }
    if filter.split('/').count() > MAX_LEVELS {
        return Err("a filter may not have more than 200 levels");
    }
    match filter.strip_prefix("$share/") {
        None => check_levels(filter),
        Some(_) => match shared(filter) {
            Some(("", _)) => Err("a shared subscription has a group's name"),
            Some((group, _)) if group.contains(['+', '#']) => Err("a group's name may not hold a wildcard"),
            Some((_, filter)) => check_levels(filter),
            None => Err("a shared subscription has a filter behind its group's name"),
        },
    }
}

fn check_levels(filter: &str) -> Result<(), &'static str> {
    if filter.is_empty() {
        return Err("a filter may not be empty");
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err("# stands alone and last");
        }
        if level.contains('+') && level != "+" {
            return Err("+ stands alone in its level");
        }
    }
    Ok(())
}

/// Group and filter of a shared subscription, `$share/GROUP/FILTER`.
pub fn shared(filter: &str) -> Option<(&str, &str)> {
    filter.strip_prefix("$share/")?.split_once('/')
}

/// Whether a checked name belongs to a checked filter. Names that start with `$` belong to no wildcard at the front.
pub fn matches(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match names.next() {
            Some(name) if level == "+" || level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard() {
        let cases = [
            ("sport/tennis/player1", "sport/tennis/player1/#", true),
            ("sport/tennis/player1/ranking", "sport/tennis/player1/#", true),
            ("sport", "sport/#", true),
            ("sport/tennis/player1", "sport/tennis/+", true),
            ("sport/tennis/player1/ranking", "sport/tennis/+", false),
            ("sport", "sport/+", false),
            ("sport/", "sport/+", true),
            ("/finance", "+/+", true),
            ("/finance", "/+", true),
            ("/finance", "+", false),
            ("$SYS/x", "#", false),
            ("$SYS/x", "+/x", false),
            ("$SYS/x", "$SYS/#", true),
            ("été/1", "+/1", true),
        ];
        for (topic, filter, expected) in cases {
            assert_eq!(matches(topic, filter), expected, "{topic} {filter}");
        }
    }

    #[test]
    fn what_is_refused() {
        for bad in ["", "a/+", "#", "a\0"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        let shared = ["$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a", "$share/g/a/#/b"];
        for bad in ["", "a/#/b", "a#", "a+/b", "+a", "\0"].into_iter().chain(shared) {
            assert!(check_filter(bad).is_err(), "{bad:?}");
        }
        assert_eq!(check_filter(&"a".repeat(65_536)), Err("a filter may not be longer than 65,535 bytes"));
        assert_eq!(check_filter(&"a/".repeat(200)), Err("a filter may not have more than 200 levels"));
        for good in ["#", "+", "/", "+/+/#", "$SYS/#", "été/+", "$share", "$share/g/#", "$share/g//a"] {
            assert!(check_filter(good).is_ok(), "{good:?}");
        }
    }
}
