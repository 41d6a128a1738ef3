//! The pages: handlebars templates, embedded in the binary. Whatever is put into them is escaped.

use handlebars::Handlebars;
use serde::Serialize;
use syncslate_shared::command::ErrorCode;
use syncslate_shared::report::Failure;
use syncslate_shared::time::Wall;
use warp::http::StatusCode;

use super::answer::Refused;
use super::view::{Library, Operator, TakePage};
use crate::freeable::Freeable;
use crate::snapshot::{Snapshot, TakeSummary};

macro_rules! template {
    ($name:literal) => {
        ($name, include_str!(concat!("../../templates/", $name, ".hbs")))
    };
}

const TEMPLATES: [(&str, &str); 16] = [
    template!("layout"),
    template!("operator"),
    template!("takes"),
    template!("take"),
    template!("refused"),
    // One element of a list each: rendered here for the first look, and once empty for the script to fill.
    template!("nodes"),
    template!("findings"),
    template!("facts"),
    template!("marks"),
    template!("downloads"),
    template!("parts"),
    template!("takelines"),
    template!("notices"),
    template!("panel"),
    template!("controls"),
    template!("blanks"),
];

/// The templates, ready to be filled.
#[derive(Debug)]
pub(super) struct Pages {
    templates: Handlebars<'static>,
    /// The hash in the assets' addresses.
    assets: String,
}

#[derive(Serialize)]
struct Page<'a, T> {
    title: &'a str,
    assets: &'a str,
    version: &'a str,
    /// Which link of the head is where we are.
    here: Here,
    /// Nothing, to render the blank elements from.
    blank: Blank,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct Blank {}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Here {
    Control,
    Takes,
    Nowhere,
}

#[derive(Serialize)]
struct RefusedPage<'a> {
    status: u16,
    message: &'a str,
}

impl Pages {
    /// Reads the embedded templates.
    pub(super) fn embedded(assets: &str) -> Result<Self, Failure> {
        let mut templates = Handlebars::new();
        for (name, source) in TEMPLATES {
            templates
                .register_template_string(name, source)
                .map_err(|e| Failure::new(format!("the embedded template {name} is wrong: {e}")))?;
        }
        Ok(Self { templates, assets: assets.to_owned() })
    }

    /// `/`
    pub(super) fn operator(&self, snapshot: &Snapshot, now: Wall) -> Result<String, Refused> {
        self.render("operator", "Control", Here::Control, snapshot.version, Operator::of(snapshot, now))
    }

    /// `/takes`
    pub(super) fn takes(&self, snapshot: &Snapshot) -> Result<String, Refused> {
        self.render("takes", "Takes", Here::Takes, snapshot.version, Library::of(snapshot))
    }

    /// `/takes/{take}`
    pub(super) fn take(
        &self,
        snapshot: &Snapshot,
        take: &TakeSummary,
        freeable: &[Freeable],
    ) -> Result<String, Refused> {
        let page = TakePage::of(take, snapshot, freeable);
        self.render("take", take.take.as_str(), Here::Takes, snapshot.version, page)
    }

    /// Why there is nothing to be seen.
    pub(super) fn refused(&self, refused: &Refused) -> Result<String, Refused> {
        let body = RefusedPage { status: refused.status.as_u16(), message: &refused.message };
        self.render("refused", "Not here", Here::Nowhere, "", body)
    }

    fn render<T: Serialize>(
        &self,
        template: &str,
        title: &str,
        here: Here,
        version: &str,
        body: T,
    ) -> Result<String, Refused> {
        let page = Page { title, assets: &self.assets, version, here, blank: Blank {}, body };
        self.templates.render(template, &page).map_err(|error| {
            tracing::error!(%error, template, "a page cannot be rendered");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Refused::with(status, ErrorCode::Internal, "the page cannot be rendered; the log says more")
        })
    }
}
