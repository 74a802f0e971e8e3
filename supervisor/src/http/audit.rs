//! Who asked for what: a line in the log for everything that changes something, and for everybody who is not let in.
//! `log_level = "info,audit=off"` leaves them out.
//!
//! Changes of what is defined, and of tokens, are in the database beside. Refusals are not: whoever is refused may ask as
//! often as they like, and must neither fill a table nor the log. So of each token, and of strangers, so many are told in
//! a while, and the others are counted.

use std::collections::HashMap;
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

/// In a refusal on its way out: what was lacking.
#[derive(Clone, Debug)]
pub(super) struct RefusedFor(pub(super) String);

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

    /// It was let in with this token, and this was answered.
    pub(super) fn answered(&self, token: Option<&str>, response: &Response) {
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
            token,
            detail,
            "a request over HTTP"
        );
    }

    /// It was not let in, though it showed this token.
    pub(super) fn refused(&self, token: Option<&str>, status: StatusCode, reason: &str) {
        if self.asks_where_the_token_is && status == StatusCode::UNAUTHORIZED {
            return;
        }
        let mut refusals = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner);
        let told = refusals.get_or_insert_default().tell(token, Instant::now());
        drop(refusals);
        let Some(untold) = told else { return };
        tracing::warn!(
            target: "audit",
            method = %self.method,
            path = self.path,
            status = status.as_u16(),
            peer = self.peer.map(tracing::field::display),
            token,
            untold,
            "refused a request over HTTP: {reason}"
        );
    }
}

/// Of the whole process.
static REFUSALS: Mutex<Option<RefusalLimits>> = Mutex::new(None);

/// How many refusals are told in a while of each token, and of those who showed none that is known: a flood of these
/// hides no refusal of a token.
#[derive(Debug, Default)]
struct RefusalLimits(HashMap<Option<String>, RefusalLimit>);

/// More tokens than these are not kept apart: names are of tokens that were made, and these come and go.
const TOKENS_MAX: usize = 1_000;

impl RefusalLimits {
    /// Whether one more is told, with the number of those that were not told before it.
    fn tell(&mut self, token: Option<&str>, now: Instant) -> Option<u64> {
        let token = token.map(str::to_owned);
        if self.0.len() >= TOKENS_MAX && !self.0.contains_key(&token) {
            self.0.clear();
        }
        self.0.entry(token).or_default().tell(now)
    }
}

/// How many refusals are told in a while.
#[derive(Debug, Default)]
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
        let (begun, mut limit) = (Instant::now(), RefusalLimit::default());
        let told = (0..25).filter_map(|_| limit.tell(begun)).count();
        assert_eq!(told, 10);
        assert_eq!(limit.tell(begun + WHILE), Some(15));
        assert_eq!(limit.tell(begun + WHILE), Some(0));
    }

    #[test]
    fn a_flood_of_strangers_hides_no_refusal_of_a_token() {
        let (now, mut limits) = (Instant::now(), RefusalLimits::default());
        let told = (0..1_000).filter_map(|_| limits.tell(None, now)).count();
        assert_eq!(told, 10);
        assert_eq!(limits.tell(None, now), None);
        assert_eq!(limits.tell(Some("ci"), now), Some(0));
        for number in 0..2 * TOKENS_MAX {
            limits.tell(Some(&number.to_string()), now);
        }
        assert!(limits.0.len() <= TOKENS_MAX, "what is kept is bounded");
    }
}
