//! The broker inside the controller, as the loop sees it: where it is, and the retained commands it turned away.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use syncslate_broker::{Broker, Config, Event, StartError};
use syncslate_shared::report::Failure;
use syncslate_shared::settings::BrokerAddress;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The broker that runs.
#[derive(Debug)]
pub struct Embedded {
    address: SocketAddr,
    refused: Option<mpsc::Receiver<(String, Bytes)>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Embedded {
    /// Starts it; no command may be retained below `prefix`.
    ///
    /// # Errors
    /// The port is taken, or the address is not this machine's.
    pub async fn start(listen: SocketAddr, prefix: &str) -> Result<Self, Failure> {
        let before = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let mut config = Config::new(listen);
        config.never_retained = vec![format!("{before}cmd/")];
        let broker = syncslate_broker::start(config).await.map_err(|e| failure(&e))?;
        let address = broker.addr();
        let (refusals, refused) = mpsc::channel(256);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(broker, before, refusals, stopped));
        Ok(Self { address, refused: Some(refused), stop, task })
    }

    /// How it is reached from here: a broker that listens on all addresses is reached on loopback.
    pub fn address(&self) -> BrokerAddress {
        let host = match self.address.ip() {
            ip if !ip.is_unspecified() => ip.to_string(),
            IpAddr::V4(_) => "127.0.0.1".into(),
            IpAddr::V6(_) => "::1".into(),
        };
        BrokerAddress { host, port: self.address.port() }
    }

    /// Retained commands that it turned away, topic without the prefix and payload; once.
    pub fn refused(&mut self) -> Option<mpsc::Receiver<(String, Bytes)>> {
        self.refused.take()
    }

    /// Ends it.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn serve(
    mut broker: Broker,
    before: String,
    refusals: mpsc::Sender<(String, Bytes)>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let event = tokio::select! {
            _ = &mut stopped => break,
            event = broker.events().recv() => event,
        };
        match event {
            Some(Event::RetainRefused { client, topic, payload }) => {
                tracing::warn!(client, topic, "the broker turned a retained command away");
                let topic = topic.strip_prefix(&before).unwrap_or(&topic).to_owned();
                let _ = refusals.try_send((topic, payload));
            }
            Some(event) => tracing::warn!(?event, "the broker"),
            None => {
                // Its events ended: it still runs until it is told to stop.
                let _ = stopped.await;
                break;
            }
        }
    }
    broker.stop().await;
}

/// The broker's messages bear their hints already.
fn failure(error: &StartError) -> Failure {
    Failure::new(error.to_string())
}
