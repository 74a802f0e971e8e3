//! Requests over HTTP, by endpoint: how many, with what answer, and how long the answer took to begin.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds, from what is in memory to a long poll.
const BUCKETS: [f64; 11] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0];
/// What is no endpoint is counted as. No path is called so.
const NO_ENDPOINT: &str = "(none)";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

/// What is counted of requests. Only paths of the table of routes are series, whatever is asked for.
#[derive(Debug)]
pub(super) struct RequestMetrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Histogram,
}

impl RequestMetrics {
    pub(super) fn registered_in(registry: &mut Registry) -> Self {
        let metrics = Self { requests: Family::default(), seconds: Histogram::new(BUCKETS) };
        registry.register(
            "http_requests",
            "Requests over HTTP, by the path of their endpoint and the status of the answer",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request",
            "From a request over HTTP to the beginning of its answer; one that waits for an execution takes as long as that",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        metrics
    }

    pub(super) fn answered(&self, method: &str, route: Option<&str>, status: u16, took: Duration) {
        let (method, route) = match route {
            Some(route) => (method, route),
            // A method that is none of ours comes with no endpoint either.
            None => ("(any)", NO_ENDPOINT),
        };
        let labels = RequestLabels { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}
