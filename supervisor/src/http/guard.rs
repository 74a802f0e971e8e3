//! Who is let in.
//!
//! Whoever shows the token, or with `http_token = "none"`, which is for loopback only, any local program; but a web page in a local browser is not a local program: it could submit code from afar. So a
//! request that carries an `Origin` must come from our own pages, and the `Host` must be a loopback name (a
//! foreign name that resolves to us is how a page gets around the first rule).

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use secrecy::SecretString;

use super::audit::AuditedRequest;
use super::dashboard;
use super::problem::{ApiError, ErrorKind};
use crate::access::{Access, is_same};

/// Paths anybody may see: they hold no data of executions.
const OPEN: &[&str] = &["/healthz", "/readyz"];

/// Who asks, for answers that tell a stranger less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// Was let in.
    Known,
    /// Asks for what anybody may see, and showed no token.
    Stranger,
}

/// What a WebSocket of the dashboard puts before its token, for want of headers.
const PROTOCOL_PREFIX: &str = "bearer.";

/// The headers by which it is decided who is let in. Of two somebody else may have read the other one.
const ONLY_ONCE: [HeaderName; 3] = [header::HOST, header::ORIGIN, header::AUTHORIZATION];

pub(super) async fn admit(
    State(access): State<Access>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let audited = AuditedRequest::of(&request);
    let visitor = check(&access, &request).inspect_err(|refusal| {
        audited.refused(refusal.status(), refusal.detail());
    })?;
    request.extensions_mut().insert(visitor);
    let response = next.run(request).await;
    audited.answered(&response);
    Ok(response)
}

/// Who asks, if they are let in.
fn check(access: &Access, request: &Request) -> Result<Visitor, ApiError> {
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
    match access {
        Access::Token { token, .. } if shows(headers, token) => Ok(Visitor::Known),
        Access::Token { .. } if is_open(request.uri().path()) => Ok(Visitor::Stranger),
        Access::Token { .. } => {
            let file = access.file().filter(|_| is_of_this_machine(request, host));
            Err(ApiError::no_token(file))
        }
        Access::Open if is_loopback(host) => Ok(Visitor::Known),
        Access::Open => {
            let detail = format!("this supervisor is for local programs, not for {host:?}: set http_token");
            Err(ApiError::new(ErrorKind::Forbidden, detail))
        }
    }
}

/// Whether anybody may see what is at this path.
fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || dashboard::is_part(path)
}

/// Where the token is kept helps those who can read files here, and is nobody else's business: not that of another
/// machine, nor of a page whose name was made to resolve to us.
fn is_of_this_machine(request: &Request, host: &str) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    is_loopback(host) && peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
}

fn shows(headers: &HeaderMap, token: &SecretString) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")))
        .map(|shown| shown.trim().to_owned());
    let shown = bearer.or_else(|| {
        let protocols = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
        let encoded = protocols.split(',').find_map(|one| one.trim().strip_prefix(PROTOCOL_PREFIX))?;
        String::from_utf8(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
    });
    shown.is_some_and(|shown| is_same(&shown, token))
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
        let token = SecretString::from("s3cret/=");
        let shows_in = |name: header::HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            shows(&headers, &token)
        };
        assert!(shows_in(header::AUTHORIZATION, "Bearer s3cret/="));
        assert!(!shows_in(header::AUTHORIZATION, "Bearer s3cret/"));
        assert!(!shows_in(header::AUTHORIZATION, "Basic s3cret/="));
        let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode("s3cret/=");
        assert!(shows_in(header::SEC_WEBSOCKET_PROTOCOL, &format!("muster, bearer.{encoded}")));
        assert!(!shows_in(header::SEC_WEBSOCKET_PROTOCOL, "muster, bearer.AAAA"));
        assert!(!shows(&HeaderMap::new(), &token));
    }
}
