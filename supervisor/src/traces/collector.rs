//! Sending spans to a collector: OTLP over HTTP, protobuf.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use secrecy::{ExposeSecret as _, SecretString};
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue};

use super::attributes::text;
use crate::settings::header_fields;

/// How long a collector may take for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Where collectors take traces, when the URL names no other place.
const PATH: &str = "v1/traces";

/// Where traces go.
#[derive(Clone)]
pub(crate) struct Collector {
    agent: Agent,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    resource: Resource,
}

/// Why spans were not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CollectorError {
    /// It may take them later.
    #[error("{0}")]
    Busy(String),
    /// It will never take these.
    #[error("{0}: correct otlp_url and otlp_headers")]
    Refused(String),
}

impl std::fmt::Debug for Collector {
    /// Without URL and headers, which may hold a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl Collector {
    /// The collector at this URL, for the traces of this supervisor.
    pub(crate) fn new(url: &SecretString, headers: Option<&SecretString>, supervisor: impl ToString) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_WITHIN))
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            .build();
        // The setting was read, so they can be.
        let headers =
            headers.and_then(|headers| header_fields(headers.expose_secret()).ok()).unwrap_or_default();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let attributes = vec![
            text("service.name", "muster"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", supervisor),
            text("host.name", host),
        ];
        let resource = Resource { attributes, ..Resource::default() };
        Self { agent: config.into(), url: address(url.expose_secret()), headers, resource }
    }

    /// Sends spans, and waits until the collector has them.
    ///
    /// # Errors
    /// When it has none of them. What it says it left out is told as text.
    pub(crate) fn send(&self, spans: Vec<Span>) -> Result<Option<String>, CollectorError> {
        let scope = InstrumentationScope {
            name: "muster".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
        let resource_spans = vec![ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans,
            schema_url: String::new(),
        }];
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let mut request = self.agent.post(&self.url).header("content-type", "application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut answer = request.send(&body[..]).map_err(|error| CollectorError::Busy(error.to_string()))?;
        let status = answer.status().as_u16();
        match status {
            200..=299 => {
                let left_out = answer.body_mut().read_to_vec().ok().and_then(|body| left_out(&body));
                Ok(left_out)
            }
            // Those that the specification says to try again.
            429 | 502..=504 => Err(CollectorError::Busy(format!("it answers {status}"))),
            _ => Err(CollectorError::Refused(format!("it answers {status}"))),
        }
    }
}

/// What the collector left out, if it says that it did.
fn left_out(answer: &[u8]) -> Option<String> {
    let partial = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
    (partial.rejected_spans > 0)
        .then(|| format!("{} spans were left out: {}", partial.rejected_spans, partial.error_message))
}

/// Where the traces are sent to.
fn address(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else { return url.to_owned() };
    if matches!(parsed.path(), "" | "/") {
        parsed.set_path(PATH);
    }
    parsed.to_string()
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_url_without_a_path_is_that_of_the_collector() {
        assert_eq!(address("http://localhost:4318"), "http://localhost:4318/v1/traces");
        assert_eq!(address("https://key@collector/"), "https://key@collector/v1/traces");
        assert_eq!(address("https://vendor/otlp/v1/traces"), "https://vendor/otlp/v1/traces");
    }
}
