//! The HTTP interface: executions, the pool, health, metrics, live views and the dashboard.
//!
//! It translates between HTTP and three things: the [`Store`] for reading rows, the [`Bus`] for what is
//! live, and the [`ApiService`] for everything that changes something. It decides nothing about executions.
//! Every endpoint is a row of the table in `routes`, from which both the router and the OpenAPI document
//! are made; what is said of bodies and answers comes from their types.

mod access;
mod admission_routes;
mod audit;
mod batch;
mod dashboard;
mod dead_letters;
mod definition_routes;
mod definitions;
mod executions;
mod fleet;
mod fleet_routes;
mod guard;
mod headers;
mod health;
mod limits;
mod listing;
mod logs;
mod openapi;
mod organizations;
mod own_edits;
mod pauses;
mod pool;
mod problem;
mod prune;
mod query;
mod route;
mod routes;
mod schedules;
mod server;
mod shape;
mod socket;
mod startup_server;
mod statistics;
mod token_routes;
mod tokens;
mod transcript;
mod variables;
mod wait;
mod webhooks;
mod workflows;

#[cfg(test)]
mod tests;

/// For the fuzzer.
#[cfg(fuzzing)]
#[path = "tests"]
mod fuzzing {
    mod fuzzed;
    mod stand;

    pub use fuzzed::FuzzedApi;
}

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio_util::sync::CancellationToken;

#[cfg(fuzzing)]
pub use fuzzing::FuzzedApi;
pub use startup_server::StartupServer;
#[cfg(test)]
pub use tests::FuzzedApi;

use muster_bus::Bus;
use muster_store::Store;

use crate::access::Access;
use crate::api::ApiService;

/// The largest body taken: what fits in a frame, after base64 and escapes.
const BODY_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Everything a handler needs. Clones are the same interface.
#[derive(Clone, Debug)]
pub struct Api {
    /// The store that rows are read from.
    pub store: Arc<dyn Store>,
    /// The bus that live views come from.
    pub bus: Bus,
    /// The service that does what clients ask for.
    pub service: Arc<dyn ApiService>,
    /// Who is let in.
    pub access: Access,
    /// Ends live streams, so that the server can leave.
    pub closing: CancellationToken,
}

impl Api {
    /// Makes the router of all endpoints.
    pub fn router(self) -> Router {
        let mut router = Router::new();
        for route in routes::routes() {
            let rule = axum::middleware::from_fn_with_state(route.rule, guard::hold_to);
            router = router.route(route.path, route.handler.route_layer(rule));
        }
        router = router.merge(dashboard::routes());
        router
            .fallback(problem::no_such_endpoint)
            .method_not_allowed_fallback(problem::no_such_method)
            .layer(axum::middleware::map_response(problem::as_a_problem))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&self.service), count_request))
            .layer(axum::middleware::from_fn_with_state(self.access.clone(), guard::identify))
            .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
            .with_state(self)
    }
}

/// Counts a request with its answer.
async fn count_request(
    State(service): State<Arc<dyn ApiService>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let (method, began) = (request.method().clone(), Instant::now());
    let answer = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    service.answered(method.as_str(), route, answer.status().as_u16(), began.elapsed());
    answer
}
