//! Who asked for what: a line in the log for everything that changes something, and for everybody who is not let in.
//! `log_level = "info,audit=off"` leaves them out.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, StatusCode};
use axum::response::Response;

/// What was done, in an answer on its way out: the path and the status tell the rest.
#[derive(Clone, Debug)]
pub(super) struct AuditDetail(pub(super) String);

/// The answer, with what was done for the log.
pub(super) fn noting(mut response: Response, detail: impl Into<String>) -> Response {
    response.extensions_mut().insert(AuditDetail(detail.into()));
    response
}

/// A request, as far as the log tells of it.
#[derive(Debug)]
pub(super) struct AuditedRequest {
    method: Method,
    path: String,
    peer: Option<SocketAddr>,
    asks_where_the_token_is: bool,
}

impl AuditedRequest {
    pub(super) fn of(request: &Request) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        // So commands and clients of this machine begin, and the refusal names the file: nobody has tried anything.
        let asks_where_the_token_is = method == Method::GET
            && path == "/api/openapi.json"
            && !request.headers().contains_key(AUTHORIZATION)
            && peer.is_some_and(|peer| peer.ip().is_loopback());
        Self { method, path, peer, asks_where_the_token_is }
    }

    /// It was let in, and this was answered.
    pub(super) fn answered(&self, response: &Response) {
        if self.method.is_safe() {
            return;
        }
        let detail = response.extensions().get::<AuditDetail>().map(|AuditDetail(detail)| detail.as_str());
        tracing::info!(
            target: "audit",
            method = %self.method,
            path = self.path,
            status = response.status().as_u16(),
            peer = self.peer.map(tracing::field::display),
            detail,
            "a request over HTTP"
        );
    }

    /// It was not let in.
    pub(super) fn refused(&self, status: StatusCode, reason: &str) {
        if self.asks_where_the_token_is && status == StatusCode::UNAUTHORIZED {
            return;
        }
        let Some(untold) = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner).tell(Instant::now())
        else {
            return;
        };
        tracing::warn!(
            target: "audit",
            method = %self.method,
            path = self.path,
            status = status.as_u16(),
            peer = self.peer.map(tracing::field::display),
            untold,
            "refused a request over HTTP: {reason}"
        );
    }
}

/// Of the whole process: whoever is refused may ask as often as they like, and must not fill the log.
static REFUSALS: Mutex<RefusalLimit> = Mutex::new(RefusalLimit { since: None, told: 0, untold: 0 });

/// How many refusals are told in a while.
#[derive(Debug)]
struct RefusalLimit {
    since: Option<Instant>,
    told: u32,
    untold: u64,
}

const WHILE: Duration = Duration::from_secs(10);
const TOLD_MAX: u32 = 10;

impl RefusalLimit {
    /// Whether one more is told, with the number of those that were not told before it.
    fn tell(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= WHILE) {
            (self.since, self.told) = (Some(now), 0);
        }
        if self.told >= TOLD_MAX {
            self.untold += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_asks_where_the_token_is_has_not_tried_anything() {
        let asks = |path: &str, token: Option<&str>, peer: &str| {
            let mut request = Request::get(path);
            if let Some(token) = token {
                request = request.header(AUTHORIZATION, token);
            }
            let mut request = request.body(axum::body::Body::empty()).unwrap();
            request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
            AuditedRequest::of(&request).asks_where_the_token_is
        };
        assert!(asks("/api/openapi.json", None, "127.0.0.1:9"));
        assert!(asks("/api/openapi.json", None, "[::1]:9"));
        assert!(!asks("/api/openapi.json", Some("Bearer wrong"), "127.0.0.1:9"));
        assert!(!asks("/api/openapi.json", None, "192.0.2.1:9"));
        assert!(!asks("/api/pool", None, "127.0.0.1:9"));
    }

    #[test]
    fn refusals_are_told_until_there_are_many_and_then_counted() {
        let (begun, mut limit) = (Instant::now(), RefusalLimit { since: None, told: 0, untold: 0 });
        let told = (0..25).filter_map(|_| limit.tell(begun)).count();
        assert_eq!(told, 10);
        assert_eq!(limit.tell(begun + WHILE), Some(15));
        assert_eq!(limit.tell(begun + WHILE), Some(0));
    }
}
