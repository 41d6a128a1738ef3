//! The broker inside the controller, as the loop sees it.

use std::net::SocketAddr;

use bytes::Bytes;
use syncslate_shared::report::Failure;
use syncslate_shared::settings::BrokerAddress;
use tokio::sync::mpsc;

/// The broker that runs.
#[derive(Debug)]
pub struct Embedded {
    address: BrokerAddress,
    refused: Option<mpsc::Receiver<(String, Bytes)>>,
}

impl Embedded {
    /// Starts it.
    ///
    /// # Errors
    /// It is not there yet.
    pub async fn start(listen: SocketAddr, _prefix: &str) -> Result<Self, Failure> {
        Err(Failure::new(format!("there is no embedded broker yet to listen on {listen}")).hint("set `mqtt.external`"))
    }

    /// How it is reached from here.
    pub fn address(&self) -> BrokerAddress {
        self.address.clone()
    }

    /// Retained commands that it turned away, topic without the prefix and payload; once.
    pub fn refused(&mut self) -> Option<mpsc::Receiver<(String, Bytes)>> {
        self.refused.take()
    }

    /// Ends it.
    pub async fn stop(self) {}
}
