//! The server under the interface: connections taken, bounded in number and time, and closed.
//!
//! A client that says nothing, or little and slowly, costs a seat for a short time and no more. When all seats are
//! taken, the connection that has idled longest gives its own up; when every one is at work,
//! there are seats left on which health is answered and nothing else. Descriptors are kept for workers by bounding
//! the seats.

mod patience;
mod seats;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::headers::protect;
use super::problem::{ApiError, ErrorKind};
use patience::{PatientBody, PatientStream};
use seats::{Seat, SeatAdmission, Seats};

/// How long the head of a request may take, and a connection be silent between two of them.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// The same on a seat for health only.
const HEALTH_HEAD_WITHIN: Duration = Duration::from_secs(2);
/// What is answered when every other seat is taken.
const HEALTH: &[&str] = &["/healthz", "/readyz"];
/// When the system has no descriptor left, the next connection is tried after this.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Answers on this listener, on at most so many connections, until `closing` is cancelled and the last answer is
/// given.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    closing: CancellationToken,
    connections_max: usize,
) {
    let seats = Seats::new(connections_max);
    let connections = tokio_util::task::TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &seats) => accepted,
            () = closing.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match seats.take().await {
                SeatAdmission::Refused => {}
                SeatAdmission::Seated(seat) => {
                    connections.spawn(converse(stream, peer, router.clone(), seat, closing.clone()));
                }
            },
            Err(error) => wait_after(&error).await,
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener, seats: &Seats) -> io::Result<(TcpStream, SocketAddr)> {
    seats.have_room().await;
    listener.accept().await
}

/// A connection that was given up while it waited is nothing; without descriptors a loop would only burn time.
async fn wait_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(%error, "a connection to the HTTP interface was not taken");
        tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
    }
}

/// One connection, from its first request to its last.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    seat: Seat,
    closing: CancellationToken,
) {
    let seat = Arc::new(seat);
    let served = Arc::clone(&seat);
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, seat) = (router.clone(), Arc::clone(&served));
        async move { Ok::<_, std::convert::Infallible>(answer(router, request, peer, &seat).await) }
    });
    let head_within = if seat.is_for_health() { HEALTH_HEAD_WITHIN } else { HEAD_WITHIN };
    let io = TokioIo::new(PatientStream::new(stream, Arc::clone(&seat)));
    let mut http = Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_within);
    let connection = http.serve_connection(io, service).with_upgrades();
    tokio::pin!(connection);
    let gave_up = seat.given_up();
    // An error here is a client that left, or that was too slow.
    tokio::select! {
        _ = &mut connection => {}
        () = gave_up.cancelled() => {}
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    // What was upgraded lives on with its stream; its seat is not for others to take.
    seat.works_on();
}

async fn answer(router: Router, request: Request<Incoming>, peer: SocketAddr, seat: &Arc<Seat>) -> Response {
    let at_work = seat.work();
    if seat.is_for_health() && !HEALTH.contains(&request.uri().path()) {
        let detail =
            "all connections are taken: close some (live views and long waits hold one each), or try again";
        let mut refused = ApiError::new(ErrorKind::Unavailable, detail).into_response();
        refused.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        return protect(refused);
    }
    let mut request = request.map(|body| Body::new(PatientBody::new(body)));
    request.extensions_mut().insert(ConnectInfo(peer));
    let answered = router.oneshot(request).await;
    let response = match answered {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let mut response = protect(response.map(|body| Body::new(at_work.until_sent(body))));
    if seat.is_for_health() {
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}
