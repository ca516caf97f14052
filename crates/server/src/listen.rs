//! From a listener to connections: bounded in number, in the length of heads, and in patience.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::LedgerSource;
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX, Limits};
use crate::patience::Patient;
use crate::routes::{self, Api};

/// Where a node's API listens unless it is told otherwise: the API trusts whoever reaches it, so only its own machine may.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4280);

/// Pause after a connection could not be accepted, most likely because no more files can be open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Sent, as far as it goes, to those for whom there is no room.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves the API until `stop` is ready. Then nothing more is accepted, event streams end, answers under way go on
/// for [`Limits::stop_window`], and what is left is cut off. If the future is dropped, all of it is at once.
pub async fn serve(
    listener: TcpListener,
    source: Arc<dyn LedgerSource>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let stopping = CancellationToken::new();
    let _cancelled_if_dropped = stopping.clone().drop_guard();
    let router = routes::router(Api::new(source, limits, stopping.clone()));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    if let Ok(address) = listener.local_addr() {
        info!(%address, "the API listens");
    }
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) if connections.len() >= limits.connections_max => {
                    debug!(%peer, "there is no room for a connection");
                    let _ = socket.try_write(FULL); // nobody waits for it to arrive
                }
                Ok((socket, _)) => {
                    connections.spawn(converse(socket, router.clone(), limits, stopping.clone()));
                }
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    stopping.cancel();
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.stop_window, drained).await.is_err() {
        debug!(left = connections.len(), "connections are cut off");
    }
}

/// One connection, request after request.
async fn converse(socket: TcpStream, router: Router, limits: Limits, stopping: CancellationToken) {
    // Events are small and shall not wait for each other.
    let _ = socket.set_nodelay(true);
    let socket = Patient::new(socket, limits.reader_window, limits.reader_bytes_min);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_window)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}
