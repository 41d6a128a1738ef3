//! The two streams of server-sent events: `/api/events` for programs, `/live` for our own pages.
//!
//! Both say `beat` with the shared clock's time every second: a reader that hears nothing for longer has lost the
//! controller. Neither holds anything back for a slow reader: one that fell behind gets the newest state whole.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use serde_json::{Map, Value, json};
use syncslate_shared::time::Clocks as _;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use warp::Reply as _;
use warp::http::header;
use warp::reply::Response;
use warp::sse::Event;

use super::answer::set;
use super::{Site, api};
use crate::snapshot::{News, Snapshot};

/// The page calls a silence of 2.2 s a loss.
const BEAT: Duration = Duration::from_secs(1);

/// `GET /api/events`: `state` with everything, then each topic's JSON under the topic's name.
pub(super) fn events(site: &Arc<Site>) -> Response {
    // Subscribed before the state is read: nothing can happen between the two unheard.
    let reader =
        Reader { news: site.door.news.subscribe(), pace: Pace::of(site), site: Arc::clone(site), greeted: false };
    send(stream::unfold(reader, |mut reader| async move { Some((Ok(reader.next().await?), reader)) }))
}

/// `GET /live`, `/live/{ip}`, `/cameras/live`: `view` with what changed of the page's data, the first time all of it.
pub(super) fn view(site: &Arc<Site>, fields: Fields) -> Response {
    let mut snapshots = site.door.snapshot.clone();
    snapshots.mark_changed();
    let viewer = Viewer { snapshots, pace: Pace::of(site), site: Arc::clone(site), fields, shown: Map::new() };
    send(stream::unfold(viewer, |mut viewer| async move { Some((Ok(viewer.next().await?), viewer)) }))
}

/// The data of a page, given the hash of the assets.
pub(super) type Fields = Box<dyn Fn(&Snapshot, &str) -> Map<String, Value> + Send + Sync>;

fn send(events: impl warp::Stream<Item = Result<Event, Infallible>> + Send + Sync + 'static) -> Response {
    let mut response = warp::sse::reply(events).into_response();
    set(response.headers_mut(), header::CACHE_CONTROL, "no-store");
    response
}

/// When a stream beats and when it ends.
struct Pace {
    beat: Interval,
    closing: watch::Receiver<bool>,
}

impl Pace {
    fn of(site: &Site) -> Self {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { beat, closing: site.closing.clone() }
    }

    /// The next beat; `None` at the shutdown.
    async fn tick(&mut self) -> Option<()> {
        tokio::select! {
            _ = self.closing.wait_for(|closing| *closing) => None,
            _ = self.beat.tick() => Some(()),
        }
    }
}

fn beat(site: &Site) -> Event {
    Event::default().event("beat").data(json!({ "at": site.clocks.wall() }).to_string())
}

struct Reader {
    news: broadcast::Receiver<News>,
    pace: Pace,
    site: Arc<Site>,
    greeted: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            return Some(self.state());
        }
        tokio::select! {
            tick = self.pace.tick() => tick.map(|()| beat(&self.site)),
            news = self.news.recv() => match news {
                Ok(news) => Some(Event::default().event(news.topic).data(news.json)),
                // What was missed is of the past; the state says where things stand.
                Err(RecvError::Lagged(_)) => Some(self.state()),
                Err(RecvError::Closed) => None,
            },
        }
    }

    fn state(&self) -> Event {
        let snapshot = Arc::clone(&self.site.door.snapshot.borrow());
        let state = api::State::of(&snapshot, self.site.clocks.wall());
        Event::default().event("state").data(serde_json::to_string(&state).unwrap_or_default())
    }
}

struct Viewer {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    pace: Pace,
    site: Arc<Site>,
    fields: Fields,
    /// What the page has by now.
    shown: Map<String, Value>,
}

impl Viewer {
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                tick = self.pace.tick() => return tick.map(|()| beat(&self.site)),
                changed = self.snapshots.changed() => {
                    changed.ok()?;
                    if let Some(news) = self.news() {
                        return Some(Event::default().event("view").data(news));
                    }
                }
            }
        }
    }

    /// The fields of the view that changed; `None` when none did.
    fn news(&mut self) -> Option<String> {
        let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        let mut fields = (self.fields)(&snapshot, self.site.assets.hash());
        let shown = std::mem::replace(&mut self.shown, fields.clone());
        fields.retain(|name, value| shown.get(name) != Some(value));
        (!fields.is_empty()).then(|| Value::Object(fields).to_string())
    }
}
