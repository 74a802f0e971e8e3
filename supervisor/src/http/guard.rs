//! Who is let in, and to what.
//!
//! Whoever shows a token, or with `http_token = "none"`, which is for loopback only, any local program; but a web page in a local browser is not a local program: it could submit code from afar. So a
//! request that carries an `Origin` must come from our own pages, and the `Host` must be a loopback name (a
//! foreign name that resolves to us is how a page gets around the first rule).
//!
//! [`identify`] finds out who asks, once for every request; [`hold_to`] holds an endpoint to its rule, which stands beside
//! it in the table of endpoints. What is in no table needs a token.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use jiff::Timestamp;
use muster_core::access::{AccessRule, RoleGrant, Touched, decide};

use super::audit::{AuditedRequest, RefusedFor};
use super::problem::{ApiError, ErrorKind};
use crate::access::{Access, Caller, MainToken, TokenAdmission};

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum Visitor {
    /// Was let in.
    Known(Caller),
    /// Was not, and may have what anybody may.
    Stranger(StrangerReason),
}

/// Why somebody is a stranger.
#[derive(Clone, Debug)]
pub(super) enum StrangerReason {
    /// They showed no token that is known. Where one is kept, if they may know.
    NoToken {
        /// The file.
        file: Option<PathBuf>,
    },
    /// Their token counts no more.
    Expired {
        /// The name of the token.
        name: Arc<str>,
        /// The moment from which on it does not count.
        at: Timestamp,
    },
    /// It is not known yet which tokens there are.
    NotYetKnown,
}

impl Visitor {
    /// The name of their token, if it is or was one.
    fn token_name(&self) -> Option<&str> {
        match self {
            Self::Known(caller) => caller.token_name(),
            Self::Stranger(StrangerReason::Expired { name, .. }) => Some(name),
            Self::Stranger(StrangerReason::NoToken { .. } | StrangerReason::NotYetKnown) => None,
        }
    }

    fn grant(&self) -> Option<RoleGrant> {
        match self {
            Self::Known(caller) => Some(caller.grant),
            Self::Stranger(_) => None,
        }
    }

    /// Whether they may have what is of all organizations.
    pub(super) fn sees_everything(&self) -> bool {
        self.grant().is_some_and(|grant| grant.organization_id.is_none())
    }
}

/// What a WebSocket of the dashboard puts before its token, for want of headers.
const PROTOCOL_PREFIX: &str = "bearer.";

/// The headers by which it is decided who is let in. Of two somebody else may have read the other one.
const ONLY_ONCE: [HeaderName; 3] = [header::HOST, header::ORIGIN, header::AUTHORIZATION];

/// Finds out who asks, and notes what they were refused and what they changed.
pub(super) async fn identify(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let audited = AuditedRequest::of(&request);
    let visitor = match visitor(&access, &request) {
        Ok(visitor) => visitor,
        Err(refusal) => {
            audited.refused(None, refusal.status(), refusal.detail());
            return refusal.into_response();
        }
    };
    request.extensions_mut().insert(visitor.clone());
    let response = next.run(request).await;
    match response.extensions().get::<RefusedFor>() {
        Some(RefusedFor(reason)) => audited.refused(visitor.token_name(), response.status(), reason),
        None => audited.answered(visitor.token_name(), &response),
    }
    response
}

/// Holds an endpoint to its rule.
pub(super) async fn hold_to(State(rule): State<AccessRule>, request: Request, next: Next) -> Response {
    let allowed = match request.extensions().get::<Visitor>() {
        Some(visitor) => allow(visitor, rule),
        None => Err(no_token(None)),
    };
    match allowed {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn allow(visitor: &Visitor, rule: AccessRule) -> Result<(), ApiError> {
    decide(visitor.grant(), rule, Touched::Unknown).map_err(|refusal| match visitor {
        Visitor::Known(_) => refusal.into(),
        Visitor::Stranger(reason) => stranger(reason),
    })
}

fn stranger(reason: &StrangerReason) -> ApiError {
    match reason {
        StrangerReason::NoToken { file } => no_token(file.clone()),
        StrangerReason::Expired { name, at } => ApiError::new(
            ErrorKind::Unauthorized,
            format!(
                "the token {name} counts no more since {at}: `supervisor token rotate {name} --expires 90d` gives it \
                 another secret and time"
            ),
        ),
        StrangerReason::NotYetKnown => ApiError::new(
            ErrorKind::Unavailable,
            "the supervisor has not read yet which tokens there are: try again in a moment",
        ),
    }
}

fn no_token(file: Option<PathBuf>) -> ApiError {
    ApiError::no_token(file.as_deref())
}

/// Whoever was let in.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        caller(parts).map_err(ApiError::into_response)
    }
}

/// Whoever was let in, for those who read other things of a request, too.
pub(super) fn caller(parts: &Parts) -> Result<Caller, ApiError> {
    match parts.extensions.get::<Visitor>() {
        Some(Visitor::Known(caller)) => Ok(caller.clone()),
        Some(Visitor::Stranger(reason)) => Err(stranger(reason)),
        None => Err(no_token(None)),
    }
}

/// Who asks. An error is said to everybody, whatever they ask for.
fn visitor(access: &Access, request: &Request) -> Result<Visitor, ApiError> {
    let headers = request.headers();
    if let Some(name) = ONLY_ONCE.iter().find(|name| headers.get_all(*name).iter().count() > 1) {
        return Err(ApiError::invalid(format!("the header {name} is there more than once")));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if let Some(origin) = headers.get(header::ORIGIN)
        && origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, place)| place)
            != Some(host)
    {
        return Err(ApiError::new(
            ErrorKind::Forbidden,
            format!("a page of {} may not use this supervisor", String::from_utf8_lossy(origin.as_bytes())),
        ));
    }
    if matches!(access.main(), MainToken::Open) && !is_loopback(host) {
        let detail = format!("this supervisor is for local programs, not for {host:?}: set http_token");
        return Err(ApiError::new(ErrorKind::Forbidden, detail));
    }
    Ok(match access.admit(shown(headers).as_deref(), Timestamp::now()) {
        TokenAdmission::Admitted(caller) => Visitor::Known(caller),
        TokenAdmission::Expired { name, at } => Visitor::Stranger(StrangerReason::Expired { name, at }),
        TokenAdmission::NotYetKnown => Visitor::Stranger(StrangerReason::NotYetKnown),
        TokenAdmission::Refused => {
            let file = access.file().filter(|_| is_of_this_machine(request, host));
            Visitor::Stranger(StrangerReason::NoToken { file: file.map(ToOwned::to_owned) })
        }
    })
}

/// Where the token is kept helps those who can read files here, and is nobody else's business: not that of another
/// machine, nor of a page whose name was made to resolve to us.
fn is_of_this_machine(request: &Request, host: &str) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    is_loopback(host) && peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
}

/// The token that was shown.
fn shown(headers: &HeaderMap) -> Option<String> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")))
        .map(|shown| shown.trim().to_owned());
    bearer.or_else(|| {
        let protocols = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
        let encoded = protocols.split(',').find_map(|one| one.trim().strip_prefix(PROTOCOL_PREFIX))?;
        String::from_utf8(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
    })
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_and_no_others() {
        for host in ["localhost", "localhost:7420", "127.0.0.1:7420", "127.1.2.3", "[::1]:7420", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org:7420",
            "10.0.0.1:7420",
            "[2001:db8::1]:1",
            "localhost.evil",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_shown_in_a_header_or_a_socket_protocol() {
        let shown_in = |name: header::HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            shown(&headers)
        };
        assert_eq!(shown_in(header::AUTHORIZATION, "Bearer s3cret/=").as_deref(), Some("s3cret/="));
        assert_eq!(shown_in(header::AUTHORIZATION, "Basic s3cret/="), None);
        let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode("s3cret/=");
        let protocols = format!("muster, bearer.{encoded}");
        assert_eq!(shown_in(header::SEC_WEBSOCKET_PROTOCOL, &protocols).as_deref(), Some("s3cret/="));
        assert_eq!(shown(&HeaderMap::new()), None);
    }
}
