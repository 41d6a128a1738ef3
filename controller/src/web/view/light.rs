//! What light said of a take's stamps, on the take's page. Pure.

use serde::Serialize;
use syncslate_slate::model::{Light, Verdict};
use syncslate_slate::verdict::sentence;

use crate::snapshot::TakeSummary;

/// One take's line, also of one that nobody looked at yet.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LightLine {
    verdict: &'static str,
    word: &'static str,
    summary: String,
    stamp: String,
    /// Which take, when the name was used more than once.
    date: Option<String>,
    /// What the button says.
    button: &'static str,
}

/// A line for each take of a name, newest first.
pub(super) fn lines(take: &TakeSummary, lights: &[Light]) -> Vec<LightLine> {
    let again = take.ids.len() > 1;
    let line = |id: &syncslate_shared::take::TakeId| {
        let light = lights.iter().find(|light| light.id == *id);
        let (verdict, word, summary) = light.map_or_else(unknown, told);
        LightLine {
            verdict,
            word,
            summary,
            stamp: id.stamp.to_string(),
            date: again.then(|| id.stamp.readable()),
            button: if light.is_some() { "Look for the slate again" } else { "Look for the slate" },
        }
    };
    take.ids.iter().map(line).collect()
}

fn unknown() -> (&'static str, &'static str, String) {
    let text = "Nobody looked yet. When a slate was held before the cameras, its light can be put beside their stamps; that \
                takes about as long as the footage that is searched.";
    ("", "Not checked by light", text.into())
}

fn told(light: &Light) -> (&'static str, &'static str, String) {
    let (verdict, word) = match light.verdict {
        Verdict::Agrees => ("green", "Light agrees"),
        Verdict::Unseen => ("amber", "Slate not seen"),
        Verdict::Doubtful => ("amber", "Light says: look"),
        Verdict::Differs => ("red", "Light differs"),
    };
    (verdict, word, format!("{} {}", sentence(&light.summary), sentence(&light.hint)).trim_end().to_owned())
}
