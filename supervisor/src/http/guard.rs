//! Who is let in.
//!
//! With a token, whoever shows it. Without one the server listens on loopback only, and any local program is
//! let in; but a web page in a local browser is not a local program: it could submit code from afar. So a
//! request that carries an `Origin` must come from our own pages, and the `Host` must be a loopback name (a
//! foreign name that resolves to us is how a page gets around the first rule).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};

use super::problem::{ApiError, Kind};

/// Paths anybody may see: they hold no data of executions.
const OPEN: &[&str] = &["/", "/healthz", "/readyz"];

/// What a WebSocket of the dashboard puts before its token, for want of headers.
const PROTOCOL_PREFIX: &str = "bearer.";

pub(super) async fn admit(
    State(token): State<Option<SecretString>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok())
        && origin.split_once("://").map(|(_, place)| place) != Some(host)
    {
        return Err(ApiError::new(
            Kind::Forbidden,
            format!("a page of {origin} may not use this supervisor"),
        ));
    }
    let refused = match &token {
        Some(token) => (!OPEN.contains(&request.uri().path()) && !shows(headers, token)).then(|| {
            let detail = "show the token (setting http_token) in the header `authorization: Bearer TOKEN`";
            ApiError::new(Kind::Unauthorized, detail)
        }),
        None => (!is_loopback(host)).then(|| {
            let detail = format!("this supervisor is for local programs, not for {host:?}: set http_token");
            ApiError::new(Kind::Forbidden, detail)
        }),
    };
    match refused {
        Some(error) => Err(error),
        None => Ok(next.run(request).await),
    }
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
    shown.is_some_and(|shown| is_same(shown.as_bytes(), token.expose_secret().as_bytes()))
}

/// Compares in a time that does not tell how many bytes were right.
fn is_same(shown: &[u8], token: &[u8]) -> bool {
    let difference = shown.iter().zip(token).fold(0, |difference, (left, right)| difference | (left ^ right));
    shown.len() == token.len() && difference == 0
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
