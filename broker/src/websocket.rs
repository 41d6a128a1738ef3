//! MQTT over websockets, as a stream of bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::config::Config;

/// The bytes in the binary messages of a websocket.
pub(crate) struct Bytestream {
    socket: WebSocketStream<TcpStream>,
    read: Bytes,
}

/// The handshake. The buffers are small at first: an idle dashboard costs kilobytes.
pub(crate) async fn accept(config: &Config, stream: TcpStream) -> Result<Bytestream, Error> {
    let limits = WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(16 << 10)
        .max_message_size(Some(config.limits.packet))
        .max_frame_size(Some(config.limits.packet));
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let check = |request: &Request, response: Response| check(&config.origins, request, response);
    let socket = tokio_tungstenite::accept_hdr_async_with_config(stream, check, Some(limits)).await?;
    Ok(Bytestream { socket, read: Bytes::new() })
}

#[expect(clippy::result_large_err, reason = "the library's own signature")]
fn check(origins: &[String], request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let headers = request.headers();
    if !origin_allowed(origins, headers) {
        let mut refused = ErrorResponse::new(Some("this page may not open a websocket here".to_owned()));
        *refused.status_mut() = StatusCode::FORBIDDEN;
        return Err(refused);
    }
    let wanted = headers.get("sec-websocket-protocol").and_then(|v| v.to_str().ok()).unwrap_or("");
    if wanted.split(',').any(|p| p.trim() == "mqtt") {
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mqtt"));
    }
    Ok(response)
}

/// A browser says which page it acts for: one of this host, or one that was named. Programs say nothing.
///
/// Without this, any page in the operator's browser could start a take on a broker on loopback.
fn origin_allowed(origins: &[String], headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get("origin") else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.iter().any(|o| o == origin) {
        return true;
    }
    let page = origin.split_once("://").map(|(_, authority)| host(authority));
    let here = headers.get("host").and_then(|h| h.to_str().ok()).map(host);
    page.is_some() && page == here
}

/// `name:port` or `[v6]:port` without the port.
fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn failed(error: Error) -> io::Error {
    match error {
        Error::Io(e) => e,
        other => io::Error::other(other),
    }
}

impl AsyncRead for Bytestream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.read.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.read = bytes,
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "text is no MQTT")));
                }
                Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => {
                    return Poll::Ready(Ok(()));
                }
                Some(Ok(_)) => {}
                Some(Err(e)) => return Poll::Ready(Err(failed(e))),
            }
        }
        let n = self.read.len().min(out.remaining());
        out.put_slice(&self.read[..n]);
        self.read.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bytestream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // One message is at most this long; the library would otherwise copy all that waits.
        let n = bytes.len().min(64 << 10);
        let mut socket = Pin::new(&mut self.socket);
        ready!(socket.as_mut().poll_ready(cx)).map_err(failed)?;
        socket.start_send(Message::Binary(Bytes::copy_from_slice(&bytes[..n]))).map_err(failed)?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(failed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_host_and_named_ones() {
        let cases = [
            (None, "10.0.0.1:9001", true),
            (Some("http://10.0.0.1:8080"), "10.0.0.1:9001", true),
            (Some("http://[::1]:8080"), "[::1]:9001", true),
            (Some("http://10.0.0.1"), "10.0.0.1", true),
            (Some("http://named.example"), "10.0.0.1:9001", true),
            (Some("http://evil.example"), "10.0.0.1:9001", false),
            (Some("null"), "10.0.0.1:9001", false),
        ];
        for (origin, host, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert("origin", HeaderValue::from_static(origin));
            }
            let named = ["http://named.example".to_owned()];
            assert_eq!(origin_allowed(&named, &headers), expected, "{origin:?} {host}");
        }
    }
}
