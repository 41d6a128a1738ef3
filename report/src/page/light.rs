//! What light said of the stamps, on the page. Pure.

use std::fmt::Write as _;

use syncslate_slate::model::{Light, Node, Verdict};
use syncslate_slate::verdict::{cells, sentence};

use super::text::{escaped, named};

const COLUMNS: [&str; 7] =
    ["Camera", "Pictures", "Slate read", "Stamps − light", "Uncertainty", "Stamps claim", "Verdict"];

/// The class of a verdict, as the style knows it.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Agrees => "green",
        Verdict::Unseen | Verdict::Doubtful => "amber",
        Verdict::Differs => "red",
    }
}

/// A section with the verdict and a table.
pub(super) fn section(out: &mut String, light: &Light) {
    let _ = write!(
        out,
        "<section class=\"light\">\n<h2>By light</h2>\n<ul class=\"reasons\"><li class=\"{}\">{}</li></ul>\n",
        class(light.verdict),
        escaped(&light.summary)
    );
    out.push_str("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"By light\"><table>\n<thead><tr>");
    for column in COLUMNS {
        let _ = write!(out, "<th scope=\"col\">{column}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for node in &light.nodes {
        row(out, node);
    }
    let _ = write!(
        out,
        "</tbody>\n</table></div>\n<p class=\"quiet\">{} A slate was filmed by all cameras, so its own clock does not \
         matter: positive is a camera whose stamps are later than the light says, against the middle of the cameras. \
         The uncertainty is the sum of what the display’s refreshes leave open, of the rolling shutter, and of exposures \
         that differ{}. Looked for on {}.</p>\n</section>\n",
        escaped(&sentence(&light.hint)),
        if known(light) {
            ""
        } else {
            "; these are not known here: each millisecond that they differ makes half a one"
        },
        escaped(&light.at.to_string()),
    );
}

fn known(light: &Light) -> bool {
    light.showings.iter().flat_map(|showing| &showing.nodes).all(|node| node.parts.exposure_us.is_some())
}

fn row(out: &mut String, node: &Node) {
    let style = match node.verdict {
        Verdict::Agrees => "",
        Verdict::Unseen | Verdict::Doubtful => "warn",
        Verdict::Differs => "bad",
    };
    let [name, figures @ .., verdict] = cells(node);
    let figures: String = figures.iter().map(|figure| format!("<td>{figure}</td>")).collect();
    let (name, verdict) = (named(&name), escaped(&verdict));
    let _ = writeln!(out, "<tr><th scope=\"row\">{name}</th>{figures}<td class=\"long {style}\">{verdict}</td></tr>");
}
