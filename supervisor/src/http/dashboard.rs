//! The dashboard: one page without anything from elsewhere. It holds no data; its script asks the API.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

/// Only what stands in the page itself may run, and it may talk to this server only.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self' ws: wss:; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`
pub(super) async fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("dashboard.html"))).into_response()
}
