//! From a connection's first byte to its CONNACK: is it MQTT, who is it, may it come in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::timeout;
use tracing::info;

use crate::codec::{self, Bad, ConnAck, Connect, Packet, Version};
use crate::connection::{self, ALIASES, Client, RECEIVE_MAX};
use crate::event::Event;
use crate::held::Held;
use crate::hub::Hub;
use crate::rights::{self, Role, Wish};
use crate::session::Session;

/// A CONNECT has at most a client id, a will, a name and a password of 64 KiB each.
const CONNECT_BYTES: usize = 512 << 10;

/// Serves a client from its first byte to its last. What the handshake took is free again while it is connected.
pub(crate) async fn serve<S>(hub: Arc<Hub>, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let client = Box::pin(greet(hub, stream, peer)).await;
    if let Some(client) = client {
        Box::pin(connection::run(client)).await;
    }
}

/// The handshake; `None` when nobody came in.
async fn greet<S>(hub: Arc<Hub>, stream: S, peer: SocketAddr) -> Option<Client<S>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut read, write) = tokio::io::split(stream);
    let mut input = BytesMut::new();
    let mut stop = hub.stopping.subscribe();
    let connect = tokio::select! {
        c = timeout(hub.config.limits.connect, read_connect(&mut read, &mut input)) => c,
        _ = stop.wait_for(|s| *s) => return None,
    };
    let connect = match connect {
        Ok(Ok(connect)) => connect,
        Ok(Err(Some(bad))) => {
            info!(%peer, %bad, "refused a connection");
            refuse(read, write, Version::V4, if let Bad::Version(_) = bad { Some(1) } else { None }).await;
            return None;
        }
        Ok(Err(None)) => return None,
        Err(_) => {
            info!(%peer, "a connection sent no CONNECT in time");
            return None;
        }
    };
    let version = connect.version;
    let account = match admit(&hub, &connect, peer).await {
        Ok(account) => account,
        Err((v4, v5)) => {
            info!(%peer, client = connect.client_id, code = v5, "refused a client");
            refuse(read, write, version, Some(if version == Version::V4 { v4 } else { v5 })).await;
            return None;
        }
    };
    let user = account.as_ref().map(|(user, _)| user.clone());
    let client = welcome(hub, connect, account, (read, write), input).await;
    info!(%peer, client = client.name, ?version, "connected");
    client.hub.event(Event::Connected { client: client.name.clone(), user, peer });
    Some(client)
}

async fn read_connect<S: AsyncRead>(read: &mut ReadHalf<S>, input: &mut BytesMut) -> Result<Connect, Option<Bad>> {
    loop {
        if input.first().is_some_and(|first| *first != 0x10) {
            return Err(Some(Bad::Protocol("the first packet is not CONNECT")));
        }
        if let Some(frame) = codec::frame(input, CONNECT_BYTES)? {
            return match codec::decode(frame, Version::V4)? {
                Packet::Connect(connect) => Ok(*connect),
                _ => Err(Some(Bad::Protocol("the first packet is not CONNECT"))),
            };
        }
        input.reserve(1024);
        if read.read_buf(input).await.map_err(|_| None)? == 0 {
            return Err(None);
        }
    }
}

/// Sends a refusal, if there is one to send, and closes.
async fn refuse<S: AsyncRead + AsyncWrite>(
    mut read: ReadHalf<S>,
    mut write: WriteHalf<S>,
    version: Version,
    code: Option<u8>,
) {
    let mut out = BytesMut::new();
    if let Some(code) = code {
        codec::put_connack(&mut out, version, &ConnAck { code, ..ConnAck::default() });
    }
    let _ = timeout(Duration::from_secs(1), async {
        write.write_all(&out).await?;
        write.shutdown().await?;
        connection::listen_to_the_end(&mut read).await;
        Ok::<_, std::io::Error>(())
    })
    .await;
}

/// Name and role of whoever may come in, or the refusal in the codes of both versions.
async fn admit(hub: &Hub, connect: &Connect, peer: SocketAddr) -> Result<Option<(String, Role)>, (u8, u8)> {
    if connect.client_id.is_empty() && !connect.clean && connect.version == Version::V4 {
        return Err((2, 0x85));
    }
    if connect.props.auth_method {
        return Err((5, 0x8c));
    }
    let accounts = &hub.config.accounts;
    if accounts.is_empty() {
        return Ok(None);
    }
    let client = connect.client_id.clone();
    let refused = |user| hub.event(Event::Refused { client: client.clone(), user, peer });
    let Some(user) = connect.user.clone() else {
        refused(None);
        return Err((5, 0x87));
    };
    let password = connect.password.clone().unwrap_or_default();
    let Some(role) = hub.door.verify(accounts, peer.ip(), &user, &password).await else {
        refused(Some(user));
        return Err((4, 0x86));
    };
    if let Some(will) = &connect.will
        && !rights::allows(&role, &hub.config.prefix, Wish::Publish, &will.topic)
    {
        let what = will.topic.clone();
        hub.event(Event::Denied { client, user, wish: Wish::Publish, what });
        return Err((5, 0x87));
    }
    Ok(Some((user, role)))
}

/// Takes the client id over and writes CONNACK.
async fn welcome<S>(
    hub: Arc<Hub>,
    mut connect: Connect,
    account: Option<(String, Role)>,
    (read, write): (ReadHalf<S>, WriteHalf<S>),
    input: BytesMut,
) -> Client<S> {
    let version = connect.version;
    let mut output = BytesMut::new();
    let assigned_id = connect.client_id.is_empty().then(|| format!("auto-{}", hub.number()));
    let client = assigned_id.clone().unwrap_or_else(|| connect.client_id.clone());
    // Nobody takes over a client of another account. A name holds no U+0000.
    let user = account.as_ref().map_or("", |(user, _)| user);
    let key = format!("{user}\0{client}");
    let (held, number, notes) = hub.attach(&key, connect.clean).await;
    let session_present = held.is_some();
    let held =
        held.map_or_else(|| Held { session: Session::new(number, hub.config.limits.session), link: None }, |h| *h);
    let longest = u32::try_from(hub.config.limits.absent.as_secs()).unwrap_or(u32::MAX);
    let asked = match version {
        Version::V4 => {
            if connect.clean {
                0
            } else {
                longest
            }
        }
        Version::V5 => connect.props.session_expiry.unwrap_or(0),
    };
    let expiry = asked.min(longest);
    let most = u16::try_from(hub.config.limits.keep_alive.as_secs()).unwrap_or(u16::MAX);
    let shortened = version == Version::V5 && connect.keep_alive > most;
    if shortened {
        connect.keep_alive = most;
    }
    let ack = ConnAck {
        session_present,
        code: 0,
        assigned_id,
        max_packet: u32::try_from(hub.config.limits.packet).unwrap_or(u32::MAX),
        topic_alias_max: ALIASES,
        receive_max: RECEIVE_MAX,
        session_expiry: (expiry != asked).then_some(expiry),
        keep_alive: shortened.then_some(most),
    };
    codec::put_connack(&mut output, version, &ack);
    Client { name: client, key, number, read, write, input, output, held, notes, account, expiry, connect, hub }
}
