//! Why a connection ends, and what is left to do then: last will, session, the last bytes.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tracing::{debug, info};

use super::Connection;
use crate::codec::{self, Bad, Version};
use crate::event::Event;
use crate::held::Takeover;
use crate::parked;

/// How long a client that was told why may still be sending.
const LINGER: Duration = Duration::from_millis(500);

/// Why a connection ends.
pub(super) enum End {
    /// The peer is gone, or the network.
    Lost,
    /// DISCONNECT: whether the will is wanted, and another session expiry.
    Asked(bool, Option<u32>),
    /// It broke the protocol.
    Bad(Bad),
    /// Another reason of ours, as version 5 calls it.
    Ours(u8, &'static str),
    /// Another connection has the same client id.
    Taken(Takeover),
    /// The broker stops.
    Stopping,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection<S> {
    pub(super) async fn finish(mut self, end: End) {
        let (reason, why) = match &end {
            End::Lost => (None, "connection lost"),
            End::Asked(..) => (None, "disconnected"),
            End::Bad(bad) => {
                info!(client = self.client, %bad, "a client is disconnected");
                (Some(bad.code()), "protocol")
            }
            End::Ours(code, why) => (Some(*code), *why),
            End::Taken(_) => (Some(0x8e), "taken over"),
            End::Stopping => (Some(0x8b), "the broker stops"),
        };
        info!(client = self.client, why, "disconnected");
        self.hub.event(Event::Disconnected { client: self.client.clone(), why });
        let mut expiry = self.expiry;
        let mut will = self.will.take();
        match &end {
            End::Asked(wanted, other) => {
                expiry = other.unwrap_or(expiry);
                if !wanted {
                    will = None;
                }
            }
            // The controller stops with all it has: nobody has gone offline.
            End::Stopping => will = None,
            _ => {}
        }
        let (held, notes) = (self.held, self.notes);
        let absent =
            parked::Absent { hub: self.hub.clone(), client: self.client, key: self.key, number: self.number, notes };
        match end {
            End::Taken(takeover) => absent.hand_over(held, will, expiry, takeover),
            End::Stopping => absent.hub.detach(&absent.key, absent.number),
            _ => absent.begin(held, will, expiry),
        }
        if let Some(code) = reason {
            codec::put_disconnect(&mut self.output, self.version, code);
        }
        // Drained, but not for ever. A client that reads nothing is closed as it is.
        let _ = timeout(Duration::from_secs(1), async {
            self.write.write_all(&self.output).await?;
            self.write.flush().await?;
            self.write.shutdown().await
        })
        .await;
        if reason.is_some() && self.version == Version::V5 {
            let _ = timeout(LINGER, listen_to_the_end(&mut self.read)).await;
        }
        debug!("closed");
    }
}

/// Takes what a client still sends. A socket closed over unread bytes answers with RST, and the client's system would
/// throw away the reason that it was just told.
pub(crate) async fn listen_to_the_end<R: AsyncRead + Unpin>(read: &mut R) {
    let mut bytes = [0; 1024];
    while read.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
}

impl From<Bad> for End {
    fn from(bad: Bad) -> End {
        End::Bad(bad)
    }
}
