//! One listener from the first moment on: while the supervisor starts, that is what it says; then everything is
//! answered.
//!
//! A start may wait for a database for hours. Whoever keeps processes alive must see meanwhile that this one
//! lives, and whoever looks after it what it waits for.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::guard::Visitor;
use super::problem::{ApiError, ErrorKind};
use super::{Api, guard, health, server};
use crate::access::{Access, Caller};
use crate::api::Readiness;

/// What answers. Clones are the same.
#[derive(Clone, Debug)]
pub struct StartupServer {
    starting: Router,
    started: Arc<OnceLock<Router>>,
}

impl StartupServer {
    /// Nothing is answered but that the supervisor starts, and what it waits for.
    pub fn starting(access: Access, waits_for: watch::Receiver<Readiness>) -> Self {
        let starting = Router::new()
            .route("/healthz", get("ok\n"))
            .route("/readyz", get(not_yet))
            .fallback(no_answer_yet)
            .layer(axum::middleware::from_fn_with_state(access, guard::identify))
            .with_state(waits_for);
        Self { starting, started: Arc::default() }
    }

    /// It has started: everything is answered from here on.
    pub fn open(&self, api: Api) {
        // A supervisor starts once.
        let _ = self.started.set(api.router());
    }

    /// Answers on this listener, on at most so many connections and a few more for health, until `closing` is
    /// cancelled and the last answer is given.
    pub async fn serve(self, listener: TcpListener, closing: CancellationToken, connections_max: usize) {
        let router = Router::new().fallback(answer).with_state(self);
        server::serve(listener, router, closing, connections_max).await;
    }
}

async fn answer(State(front): State<StartupServer>, request: Request) -> Response {
    let router = front.started.get().unwrap_or(&front.starting).clone();
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// `GET /readyz`
async fn not_yet(
    State(waits_for): State<watch::Receiver<Readiness>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let readiness = waits_for.borrow().clone();
    health::respond(readiness, visitor)
}

async fn no_answer_yet(_: Caller) -> ApiError {
    ApiError::new(ErrorKind::Unavailable, "the supervisor is starting: /readyz says what it waits for")
}
