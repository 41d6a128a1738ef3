use syncslate_report::Verdict;
use syncslate_report::page::page;
use syncslate_shared::manifest::PlacedMark;
use syncslate_shared::take::Mark;

use crate::kit::{Camera, T0, camera, film, of};

/// Every element is closed where it should be; gives the names of all.
fn elements(html: &str) -> Vec<String> {
    let body = html.strip_prefix("<!DOCTYPE html>").unwrap();
    let (mut open, mut all, mut rest) = (Vec::new(), Vec::new(), body);
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag that does not end");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        assert!(!name.is_empty(), "`<{tag}>`");
        assert!(tag.matches('"').count().is_multiple_of(2), "`<{tag}>`");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "at `<{tag}>`");
        } else {
            if !tag.ends_with('/') && !["meta", "br"].contains(&name.as_str()) {
                open.push(name.clone());
            }
            all.push(name);
        }
    }
    assert_eq!(open, Vec::<String>::new());
    all
}

#[test]
fn it_is_well_formed_and_needs_nothing_else() {
    let gaps = vec![(71.3, 73.3, Some("camera_lost"), 0.0)];
    let report =
        film(&[Camera { drops: vec![917], ..camera(1, 0.0, -80.0) }, Camera { gaps, ..camera(2, 11_000.0, 120.0) }]);
    let html = page(&report);
    let all = elements(&html);
    for banned in ["script", "img", "link", "iframe", "object", "base", "form"] {
        assert!(!all.iter().any(|name| name == banned), "{banned}");
    }
    for banned in ["http:", "https:", "url(", "@import", "javascript:", " style=", " on"] {
        let found = html.match_indices(banned).find(|(i, _)| banned != " on" || html[*i..].starts_with(" on="));
        assert_eq!(found, None);
    }
    for expected in ["Look first", "camera lost", "+120.0 ppm", "−80.0 ppm", "cam2", "off by one from frame"] {
        assert!(html.contains(expected), "{expected}");
    }
    assert_eq!(report.verdict, Verdict::Amber);
    assert!(html.len() < 200_000, "{} bytes", html.len());
}

#[test]
fn whatever_comes_from_outside_is_escaped() {
    let evil = "\"'><script>alert(1)</script>&amp;\u{202e}\u{0}\u{1b}";
    let mut input = camera(1, 5_000.0, 0.0).input();
    let manifest = input.manifest.as_mut().unwrap();
    manifest.name = evil.into();
    manifest.camera.as_mut().unwrap().model = Some(evil.into());
    let gap = syncslate_shared::manifest::Gap { from: T0, to: T0, cause: evil.into(), detail: evil.into() };
    manifest.gaps.push(gap);
    manifest.clock_at_roll.as_mut().unwrap().source = Some(evil.into());
    let mark = Mark { n: 1, at: T0.offset_us(7_000_000), note: evil.into() };
    manifest.marks.push(PlacedMark { mark, frame: None, segment: None });
    let html = page(&of(vec![input, camera(2, 9_000.0, 0.0).input()]));
    let all = elements(&html);
    assert!(!all.contains(&"script".to_owned()) && !html.contains(['\0', '\u{1b}']));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;"));
}

#[test]
fn empty_and_first_looks_are_pages_too() {
    let mut input = camera(1, 5_000.0, 0.0).input();
    input.table = None;
    let html = page(&of(vec![input]));
    elements(&html);
    assert!(html.contains("first look") && html.contains("once frame tables are here"));
}
