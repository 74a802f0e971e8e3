//! The dashboard: pages without anything from elsewhere. They hold no data; their scripts ask the API.
//!
//! All pages are at the same depth and speak of each other and of the API without a leading slash, so that they work
//! below any path that a proxy puts before them.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use uuid::Uuid;

use super::Api;
use super::problem::no_such_path;

/// What every page is made of; its script fills it.
const SHELL: &str = include_str!("dashboard/shell.html");
/// What stands in the shell where this answer's own word goes.
const NONCE: &str = "NONCE";

/// The pages: path, the name of the script, title.
const PAGES: &[(&str, &str, &str)] = &[
    ("/", "overview", "Overview"),
    ("/executions", "executions", "Executions"),
    ("/execution", "execution", "Execution"),
    ("/workflows", "workflows", "Workflows"),
    ("/schedules", "schedules", "Schedules"),
    ("/limits", "limits", "Limits and queues"),
    ("/configuration", "configuration", "Variables and secrets"),
    ("/organizations", "organizations", "Organizations"),
    ("/webhooks", "webhooks", "Webhooks"),
    ("/dead-letters", "dead-letters", "Dead letters"),
    ("/tokens", "tokens", "Tokens"),
    ("/changes", "changes", "Changes"),
    ("/fleet", "fleet", "Fleet"),
];

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("dashboard/", $name)))),*] };
}

/// What the pages load.
const FILES: &[(&str, &str)] = files![
    "access.js",
    "actions.js",
    "api.js",
    "changes.js",
    "charts.js",
    "configuration.js",
    "dead-letters.js",
    "dom.js",
    "execution.js",
    "executions.js",
    "fills.js",
    "fleet.js",
    "form.js",
    "format.js",
    "limits.js",
    "live.js",
    "log.js",
    "organizations.js",
    "overview.js",
    "page.js",
    "rows.js",
    "schedules.js",
    "style.css",
    "timeline.js",
    "tokens.js",
    "verdict.js",
    "webhooks.js",
    "workflows.js",
];

/// The pages for people and what they load, which anybody may see. They are no part of the API, so its document does not speak of them.
pub(super) fn routes() -> Router<Api> {
    let mut router = Router::new().route("/dashboard/{file}", get(file));
    // The first page is in the table of endpoints.
    for &(path, script, title) in PAGES.iter().skip(1) {
        router = router.route(path, get(async move |headers: HeaderMap| of(script, title, &headers)));
    }
    router
}

/// `GET /`
pub(super) async fn overview(headers: HeaderMap) -> Response {
    of("overview", "Overview", &headers)
}

/// Only what the page itself names may run, known by a word that no other answer has, and it may talk to this
/// server only. Some browsers do not count a WebSocket as the page's own server, so it is named.
fn policy(nonce: &str, host: Option<&str>) -> String {
    let socket = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'{socket}; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'"
    )
}

/// The host that was asked for, if it can stand in a policy.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_plain)).then_some(host)
}

fn of(script: &str, title: &str, headers: &HeaderMap) -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    let policy = policy(&nonce, host(headers));
    let page = SHELL.replace(NONCE, &nonce).replace("PAGE", script).replace("TITLE", title);
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page)).into_response()
}

/// `GET /dashboard/{file}`: asked for with each page, and sent only when it is another than the browser has.
async fn file(Path(name): Path<String>, headers: HeaderMap, uri: axum::http::Uri) -> Response {
    let Some((_, text)) = FILES.iter().find(|(file, _)| *file == name) else {
        return no_such_path(uri).await.into_response();
    };
    let tag = format!("\"{}\"", Uuid::new_v5(&Uuid::NAMESPACE_URL, text.as_bytes()).simple());
    let media_type =
        if name.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let about = [
        (header::ETAG, HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
    ];
    if known { (StatusCode::NOT_MODIFIED, about).into_response() } else { (about, *text).into_response() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_may_run_is_what_the_page_names() {
        assert_eq!(SHELL.matches(NONCE).count(), 2);
        assert_eq!(SHELL.matches("<script").count() + SHELL.matches("rel=\"stylesheet\"").count(), 2);
        // Neither is known by the word, so neither would be in force.
        for (name, text) in FILES.iter().chain([&("shell.html", SHELL)]) {
            assert!(!text.contains(" style=\"") && !text.contains(" onclick=\""), "{name}");
            assert!(!text.contains("innerHTML") && !text.contains("outerHTML"), "{name}");
            assert!(!text.contains("http://") || text.contains("http://www.w3.org/2000/svg"), "{name}");
            assert!(!text.contains("https://") || name.ends_with(".js"), "{name}");
        }
        assert!(!policy("n", Some("localhost:7420")).contains("unsafe"));
    }

    /// A path that begins with a slash would leave the path that a proxy puts before the pages.
    #[test]
    fn pages_and_the_api_are_named_from_where_the_page_is() {
        for (name, text) in FILES.iter().chain([&("shell.html", SHELL)]) {
            for quote in ['"', '`', '\''] {
                for path in ["/api", "/ws", "/execution", "/workflows", "/dashboard", "/readyz", "/metrics"] {
                    assert!(!text.contains(&format!("{quote}{path}")), "{name}: {quote}{path}");
                }
            }
        }
    }

    #[test]
    fn each_file_is_loaded_and_each_that_is_loaded_is_there() {
        let there: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut named: BTreeSet<String> = PAGES.iter().map(|(_, script, _)| format!("{script}.js")).collect();
        named.insert("style.css".to_owned());
        for (_, text) in FILES {
            named.extend(
                text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned),
            );
        }
        assert_eq!(named, there);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/dashboard");
        let names =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let kept: BTreeSet<_> = names.filter(|name| name != "shell.html").collect();
        assert_eq!(kept, there);
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
