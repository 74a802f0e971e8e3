//! The dashboard: one page without anything from elsewhere. It holds no data; its script asks the API.

use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use uuid::Uuid;

const PAGE: &str = include_str!("dashboard.html");
/// What stands in the page where this answer's own word goes.
const NONCE: &str = "NONCE";

/// Only what stands in the page itself may run, known by a word that no other answer has, and it may talk to this
/// server only. Some browsers do not count a WebSocket as the page's own server, so it is named.
fn policy(nonce: &str, host: Option<&str>) -> String {
    let socket = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'{socket}; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The host that was asked for, if it can stand in a policy.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_plain)).then_some(host)
}

/// `GET /`
pub(super) async fn page(headers: HeaderMap) -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    let policy = policy(&nonce, host(&headers));
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(PAGE.replace(NONCE, &nonce))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_run_is_what_stands_in_the_page() {
        assert_eq!(PAGE.matches(NONCE).count(), 2);
        assert!(PAGE.contains("<script nonce=\"NONCE\">") && PAGE.contains("<style nonce=\"NONCE\">"));
        // Neither is known by the word, so neither would be in force.
        assert!(!PAGE.contains(" style=") && !PAGE.contains(" onclick="));
        assert!(!policy("n", Some("localhost:7420")).contains("unsafe"));
    }

    #[test]
    fn a_host_does_not_write_the_policy() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, value.parse().unwrap());
            host(&headers).map(str::to_owned)
        };
        assert_eq!(of("[::1]:7420").as_deref(), Some("[::1]:7420"));
        assert_eq!(of("a; script-src *"), None);
        assert!(policy("n", None).contains("connect-src 'self'; "));
    }
}
