//! The pages: handlebars templates, embedded in the binary. Whatever is put into them is escaped.

use handlebars::Handlebars;
use serde::Serialize;
use syncslate_shared::command::ErrorCode;
use syncslate_shared::report::Failure;
use syncslate_shared::time::Wall;
use warp::http::StatusCode;

use super::answer::Refused;
use super::view::{AboutPage, Cameras, Events, Library, NodePage, Operator, SlatePage, Sought, TakePage};
use crate::lock::Visitor;
use crate::snapshot::{NodeView, Snapshot, TakeSummary};

macro_rules! template {
    ($name:literal) => {
        ($name, include_str!(concat!("../../templates/", $name, ".hbs")))
    };
}

const TEMPLATES: [(&str, &str); 26] = [
    template!("layout"),
    template!("operator"),
    template!("takes"),
    template!("cameras"),
    template!("cameralines"),
    template!("take"),
    template!("editor"),
    template!("play"),
    template!("node"),
    template!("refused"),
    template!("login"),
    // One element of a list each: rendered here for the first look, and once empty for the script to fill.
    template!("nodes"),
    template!("findings"),
    template!("facts"),
    template!("marks"),
    template!("downloads"),
    template!("parts"),
    template!("takelines"),
    template!("notices"),
    template!("events"),
    template!("eventlines"),
    template!("about"),
    template!("slate"),
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
    /// Who looks, when there are accounts.
    visitor: Option<&'a str>,
    /// Whether he gives commands.
    commands: bool,
    /// Which link of the head is where we are.
    here: Here,
    /// Nothing, to render the blank elements from.
    blank: Blank,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct Blank {}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Here {
    Control,
    Takes,
    Node,
    Cameras,
    Events,
    About,
    Nowhere,
}

#[derive(Serialize)]
struct RefusedPage<'a> {
    status: u16,
    message: &'a str,
}

#[derive(Serialize)]
struct LoginPage<'a> {
    next: &'a str,
    problem: &'a str,
}

/// What the head of a page says.
struct Head<'a> {
    title: &'a str,
    here: Here,
    version: &'a str,
    visitor: &'a Visitor,
}

/// Whoever sees a page that shows nothing.
const STRANGER: Visitor = Visitor { name: None, commands: false };

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
    pub(super) fn operator(&self, visitor: &Visitor, snapshot: &Snapshot, now: Wall) -> Result<String, Refused> {
        let head = Head { title: "Control", here: Here::Control, version: snapshot.version, visitor };
        self.render("operator", &head, Operator::of(snapshot, now))
    }

    /// `/slate`
    pub(super) fn slate(&self, visitor: &Visitor, snapshot: &Snapshot, now: Wall) -> Result<String, Refused> {
        let head = Head { title: "Slate", here: Here::Nowhere, version: snapshot.version, visitor };
        self.render("slate", &head, SlatePage::of(snapshot, now))
    }

    /// `/nodes/{ip}`
    pub(super) fn node(&self, visitor: &Visitor, snapshot: &Snapshot, node: &NodeView) -> Result<String, Refused> {
        let page = NodePage::of(node, snapshot);
        let head = Head { title: page.name(), here: Here::Node, version: snapshot.version, visitor };
        self.render("node", &head, &page)
    }

    /// `/takes`
    pub(super) fn takes(&self, visitor: &Visitor, snapshot: &Snapshot, sought: &Sought) -> Result<String, Refused> {
        let head = Head { title: "Takes", here: Here::Takes, version: snapshot.version, visitor };
        self.render("takes", &head, Library::of(snapshot, sought))
    }

    /// `/cameras`
    pub(super) fn cameras(&self, visitor: &Visitor, snapshot: &Snapshot) -> Result<String, Refused> {
        let head = Head { title: "Cameras", here: Here::Cameras, version: snapshot.version, visitor };
        self.render("cameras", &head, Cameras::of(snapshot))
    }

    /// `/takes/{take}`
    pub(super) fn take(&self, visitor: &Visitor, snapshot: &Snapshot, page: TakePage) -> Result<String, Refused> {
        let head = Head { title: page.name(), here: Here::Takes, version: snapshot.version, visitor };
        self.render("take", &head, &page)
    }

    /// `/takes/{take}/play`
    pub(super) fn play(&self, visitor: &Visitor, snapshot: &Snapshot, take: &TakeSummary) -> Result<String, Refused> {
        #[derive(Serialize)]
        struct Play<'a> {
            take: &'a str,
        }
        let take = take.take.as_str();
        let head = Head { title: take, here: Here::Takes, version: snapshot.version, visitor };
        self.render("play", &head, Play { take })
    }

    /// `/events`
    pub(super) fn events(&self, visitor: &Visitor, snapshot: &Snapshot, events: Events) -> Result<String, Refused> {
        let head = Head { title: "Events", here: Here::Events, version: snapshot.version, visitor };
        self.render("events", &head, events)
    }

    /// `/about`
    pub(super) fn about(
        &self,
        visitor: &Visitor,
        snapshot: &Snapshot,
        about: AboutPage<'_>,
    ) -> Result<String, Refused> {
        let head = Head { title: "About", here: Here::About, version: snapshot.version, visitor };
        self.render("about", &head, about)
    }

    /// `/login`, and whatever a stranger asks for.
    pub(super) fn login(&self, next: &str, problem: &str) -> Result<String, Refused> {
        let head = Head { title: "Log in", here: Here::Nowhere, version: "", visitor: &STRANGER };
        self.render("login", &head, LoginPage { next, problem })
    }

    /// Why there is nothing to be seen.
    pub(super) fn refused(&self, refused: &Refused) -> Result<String, Refused> {
        let body = RefusedPage { status: refused.status.as_u16(), message: &refused.message };
        let head = Head { title: "Not here", here: Here::Nowhere, version: "", visitor: &STRANGER };
        self.render("refused", &head, body)
    }

    fn render<T: Serialize>(&self, template: &str, head: &Head<'_>, body: T) -> Result<String, Refused> {
        let Head { title, here, version, visitor: Visitor { name, commands } } = head;
        let (visitor, commands, assets) = (name.as_deref(), *commands, self.assets.as_str());
        let page = Page { title, assets, version, visitor, commands, here: *here, blank: Blank {}, body };
        self.templates.render(template, &page).map_err(|error| {
            tracing::error!(%error, template, "a page cannot be rendered");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Refused::with(status, ErrorCode::Internal, "the page cannot be rendered; the log says more")
        })
    }
}
