//! Elements of XML, made so that no text breaks out of its place. Pure.

use std::fmt::Write as _;

/// An element.
#[derive(Clone, Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    inside: Vec<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Element(Element),
    Text(String),
}

pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), inside: Vec::new() }
}

impl Element {
    /// With an attribute.
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// With another element inside, after those that are there.
    pub(super) fn add(mut self, inside: Self) -> Self {
        self.inside.push(Node::Element(inside));
        self
    }

    /// With other elements inside.
    pub(super) fn all(mut self, inside: impl IntoIterator<Item = Self>) -> Self {
        self.inside.extend(inside.into_iter().map(Node::Element));
        self
    }

    /// With an element inside that holds this text.
    pub(super) fn say(self, name: &'static str, text: impl ToString) -> Self {
        let mut inside = element(name);
        inside.inside.push(Node::Text(text.to_string()));
        self.add(inside)
    }

    /// As a document of this type.
    pub(super) fn document(&self) -> String {
        let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE {}>\n", self.name);
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let _ = write!(out, "{:width$}<{}", "", self.name, width = depth * 2);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escaped(value));
        }
        match self.inside.as_slice() {
            [] => out.push_str("/>\n"),
            [Node::Text(text)] => {
                let _ = writeln!(out, ">{}</{}>", escaped(text), self.name);
            }
            nodes => {
                out.push_str(">\n");
                for node in nodes {
                    match node {
                        Node::Element(element) => element.write(out, depth + 1),
                        Node::Text(text) => out.push_str(&escaped(text)),
                    }
                }
                let _ = writeln!(out, "{:width$}</{}>", "", self.name, width = depth * 2);
            }
        }
    }
}

/// For the inside of an element or of an attribute in quotes. What no document can hold (XML 1.0, 2.2) becomes U+FFFD.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// A file's name as a URL beside the document.
pub(super) fn url(file: &str) -> String {
    let mut out = String::new();
    for byte in file.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_place() {
        let hostile = "</a>\"&'\n\u{0}\u{1b}]]>\u{ffff}😀";
        let text = element("a").with("b", hostile).say("c", hostile).document();
        let safe = "&lt;/a&gt;&quot;&amp;'&#10;\u{fffd}\u{fffd}]]&gt;\u{fffd}😀";
        assert!(text.ends_with(&format!("<a b=\"{safe}\">\n  <c>{safe}</c>\n</a>\n")), "{text}");
        assert_eq!(url("a b/ü.mp4"), "a%20b%2F%C3%BC.mp4");
    }
}
