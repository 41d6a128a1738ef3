//! Who may publish and subscribe to what.
//!
//! Pure. A table of roles: the first line that fits decides, and without one the answer is no.

use std::net::IpAddr;

use crate::topic;

/// What an account is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A camera computer: publishes its own status and preview, hears commands and the take.
    Node {
        /// Its address, which is in its topics.
        ip: IpAddr,
    },
    /// Gives commands and sees everything.
    Operator,
    /// Sees everything.
    Viewer,
    /// The controller itself: everything.
    Controller,
}

/// Publishing or subscribing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A message to a topic, or a last will.
    Publish,
    /// A filter.
    Subscribe,
}

/// Whether a role may do that. `prefix` stands before all topics (`mqtt.prefix`), without a slash at its end, or empty.
pub fn allows(role: &Role, prefix: &str, wish: Wish, what: &str) -> bool {
    let Some(what) = below(prefix, what) else {
        return *role == Role::Controller;
    };
    match (role, wish) {
        (Role::Controller, _) => true,
        (Role::Node { ip }, Wish::Publish) => {
            ["status", "preview", "answer"].iter().any(|topic| what == format!("{topic}/{ip}"))
        }
        (Role::Operator, Wish::Publish) => what.strip_prefix("cmd/").is_some_and(|name| name != "result"),
        (Role::Viewer, Wish::Publish) => false,
        // All may see everything but what the broker keeps for itself; a node has no need of other nodes' pictures.
        (Role::Node { ip }, Wish::Subscribe) => {
            let own = ["order", "camera"].map(|topic| format!("{topic}/{ip}"));
            ["take/#", "cmd/#", "status/#", "download/#", "controller", &own[0], &own[1]]
                .iter()
                .any(|all| covers(all, what))
        }
        (Role::Operator | Role::Viewer, Wish::Subscribe) => !what.starts_with('$'),
    }
}

/// The rest of a topic or filter behind the prefix.
fn below<'a>(prefix: &str, what: &'a str) -> Option<&'a str> {
    if prefix.is_empty() { Some(what) } else { what.strip_prefix(prefix)?.strip_prefix('/') }
}

/// Whether everything that `filter` selects is selected by `all`, whose only wildcard may be a `#` at its end.
fn covers(all: &str, filter: &str) -> bool {
    match all.strip_suffix("/#") {
        Some(front) => filter == front || filter.strip_prefix(front).is_some_and(|rest| rest.starts_with('/')),
        None => topic::check_name(filter).is_ok() && filter == all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let node = Role::Node { ip: [192, 168, 1, 101].into() };
        let (p, s) = (Wish::Publish, Wish::Subscribe);
        let table: &[(&Role, Wish, &str, bool)] = &[
            (&node, p, "status/192.168.1.101", true),
            (&node, p, "preview/192.168.1.101", true),
            (&node, p, "answer/192.168.1.101", true),
            (&node, p, "answer/192.168.1.102", false),
            (&node, p, "order/192.168.1.101", false),
            (&node, s, "order/192.168.1.101", true),
            (&node, s, "order/192.168.1.102", false),
            (&node, p, "camera/192.168.1.101", false),
            (&node, s, "camera/192.168.1.101", true),
            (&node, s, "camera/192.168.1.102", false),
            (&node, p, "answer/192.168.1.101", true),
            (&node, p, "answer/192.168.1.102", false),
            (&node, p, "order/192.168.1.101", false),
            (&node, p, "status/192.168.1.102", false),
            (&node, p, "status/192.168.1.101/x", false),
            (&node, p, "cmd/start", false),
            (&node, p, "take/current", false),
            (&node, p, "controller", false),
            (&node, s, "take/#", true),
            (&node, s, "take/current", true),
            (&node, s, "cmd/preview", true),
            (&node, s, "status/192.168.1.101", true),
            (&node, s, "controller", true),
            (&node, s, "order/192.168.1.101", true),
            (&node, s, "order/192.168.1.102", false),
            (&node, s, "#", false),
            (&node, s, "+/current", false),
            (&node, s, "preview/192.168.1.102", false),
            (&Role::Operator, p, "cmd/start", true),
            (&Role::Operator, p, "cmd/anything/else", true),
            (&Role::Operator, p, "cmd/result", false),
            (&Role::Operator, p, "take/current", false),
            (&Role::Operator, p, "status/192.168.1.101", false),
            (&Role::Operator, s, "#", true),
            (&Role::Operator, s, "$SYS/#", false),
            (&Role::Viewer, p, "cmd/start", false),
            (&Role::Viewer, s, "#", true),
            (&Role::Controller, p, "take/current", true),
            (&Role::Controller, p, "cmd/result", true),
            (&Role::Controller, s, "$SYS/#", true),
        ];
        for (role, wish, what, expected) in table {
            assert_eq!(allows(role, "", *wish, what), *expected, "{role:?} {wish:?} {what}");
            assert_eq!(allows(role, "a/b", *wish, &format!("a/b/{what}")), *expected, "{role:?} {wish:?} a/b/{what}");
            assert_eq!(
                allows(role, "a/b", *wish, what),
                **role == Role::Controller,
                "outside: {role:?} {wish:?} {what}"
            );
        }
    }

    #[test]
    fn only_the_controller_speaks_where_only_it_may() {
        let node = Role::Node { ip: [1, 2, 3, 4].into() };
        for role in [node, Role::Operator, Role::Viewer] {
            for what in [
                "take/current",
                "order/1.2.3.4",
                "camera/1.2.3.4",
                "take/marks",
                "download/x",
                "controller",
                "cmd/result",
            ] {
                assert!(!allows(&role, "", Wish::Publish, what), "{role:?} {what}");
            }
        }
    }
}
