//! Keeps a port open: a listener that has ended, hangs or has lost its socket is replaced within a second.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{error, info};

use crate::event::Event;
use crate::listen::{self, Port};
use crate::probe::Silence;

/// Between two probes. With the patience of a probe it is less than a second.
const EVERY: Duration = Duration::from_millis(250);
/// After a replacement the first probe goes out at once, and if replacing did not help they become rarer, up to this.
const AT_ONCE: Duration = Duration::from_millis(10);
const RARELY: Duration = Duration::from_secs(30);

/// What has happened to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Ended,
    Closed,
    Stuck,
}

impl Fault {
    fn why(self, port: &Port) -> String {
        match self {
            Fault::Ended => format!("the listener for {port} had ended"),
            Fault::Closed => format!("nobody listened for {port}"),
            Fault::Stuck => format!("the listener for {port} did not answer in time"),
        }
    }
}

impl From<Silence> for Fault {
    fn from(silence: Silence) -> Fault {
        match silence {
            Silence::Refused => Fault::Closed,
            Silence::Unanswered => Fault::Stuck,
        }
    }
}

/// Accepts until the broker stops, whatever becomes of the task that does it. Connections are tasks of their own and
/// notice nothing.
pub(crate) async fn keep_open(mut port: Port, listener: TcpListener) {
    let mut stop = port.hub.stopping.subscribe();
    let mut listener = Arc::new(listener);
    let mut task = open(&port, &listener);
    let mut broken: Option<(Fault, Instant)> = None;
    let mut pause = EVERY;
    loop {
        let found = tokio::select! {
            biased;
            _ = stop.wait_for(|s| *s) => break,
            _ = &mut task => Err(Fault::Ended),
            found = look(&port, pause) => found,
        };
        match found {
            Ok(()) => {
                if let Some((fault, since)) = broken.take() {
                    tell(&port, fault, since.elapsed());
                }
                pause = EVERY;
            }
            Err(_) if *port.hub.stopping.borrow() => break,
            Err(fault) => {
                match broken {
                    Some(_) => pause = (pause * 4).min(RARELY),
                    None => {
                        error!(why = fault.why(&port), "a listener of the broker is replaced");
                        broken = Some((fault, crate::clock::now()));
                        pause = AT_ONCE;
                    }
                }
                task.abort();
                if fault == Fault::Closed
                    && let Ok((fresh, _)) = listen::bind(port.addr).await
                {
                    listener = Arc::new(fresh);
                }
                // A sabotage is for one task only.
                port.sabotage.mark_unchanged();
                task = open(&port, &listener);
            }
        }
    }
    task.abort();
}

async fn look(port: &Port, pause: Duration) -> Result<(), Fault> {
    sleep(pause).await;
    port.probe.knock(port.addr).await.map_err(Fault::from)
}

fn open(port: &Port, listener: &Arc<TcpListener>) -> JoinHandle<()> {
    tokio::spawn(listen::accept(port.clone(), listener.clone()))
}

fn tell(port: &Port, fault: Fault, took: Duration) {
    info!(%port, took_ms = took.as_millis(), "the listener answers again");
    port.hub.listener_restarts.fetch_add(1, Ordering::Relaxed);
    port.hub.restarts.fetch_add(1, Ordering::Relaxed);
    port.hub.event(Event::Restarted { why: fault.why(port), took });
}
