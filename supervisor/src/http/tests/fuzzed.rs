//! The interface as the fuzzer asks it: without a socket, over the embedded store, with a bound on each answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use muster_bus::Bus;
use muster_store::{Durability, SqliteStore, Store};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::stand::FakeService;
use crate::access::{Access, MainToken};
use crate::api::ProblemView;
use crate::http::{Api, BODY_MAX_BYTES};

/// What is not answered by then waits for something that will not come, such as `?wait` and `?follow`.
const ANSWERED_WITHIN: Duration = Duration::from_millis(250);

/// The interface, and the thread it runs on.
pub struct FuzzedApi {
    runtime: Runtime,
    router: Router,
    _folder: tempfile::TempDir,
}

impl Default for FuzzedApi {
    fn default() -> Self {
        Self::new()
    }
}

impl FuzzedApi {
    /// An interface over an empty store.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let router = runtime.block_on(async {
            let file = folder.path().join("muster.db");
            let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&file, Durability::Normal).await.unwrap());
            store.migrate().await.unwrap();
            let service = Arc::new(FakeService { store: Arc::clone(&store), commands: Mutex::default() });
            let bus = Bus::in_process("muster");
            let access = Access::with(MainToken::Open);
            Api { store, bus, service, access, closing: CancellationToken::new() }.router()
        });
        Self { runtime, router, _folder: folder }
    }

    /// Asks what stands in a text of a line such as `GET /api/executions?limit=3` and, from the next line on, a body.
    /// Panics when the answer is none of ours: a failure of the supervisor, or a refusal that does not say why.
    pub fn ask(&self, text: &[u8]) {
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let body = text.get(line.len() + 1..).unwrap_or_default().to_vec();
        let Some((method, target)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' '))
        else {
            return;
        };
        let request = Request::builder().method(method).uri(target).header(header::HOST, "localhost");
        let Ok(request) = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body))
        else {
            return;
        };
        self.runtime.block_on(async {
            let answer = async {
                let answer = self.router.clone().oneshot(request).await.unwrap();
                let status = answer.status();
                (status, to_bytes(answer.into_body(), BODY_MAX_BYTES).await.unwrap())
            };
            let Ok((status, body)) = tokio::time::timeout(ANSWERED_WITHIN, answer).await else { return };
            assert!(!status.is_server_error() || target.starts_with("/readyz"), "{status}: {body:?}");
            if status.is_client_error() {
                let problem: ProblemView = serde_json::from_slice(&body).expect("a refusal is a problem");
                assert!(!problem.detail.is_empty() && problem.problems.iter().all(|one| !one.is_empty()));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fuzzer_begins_with_is_answered() {
        let api = FuzzedApi::new();
        api.ask(b"GET /api/executions?limit=3");
        api.ask(b"POST /api/executions\n{\"workflow\": \"w\"}");
        api.ask(b"GET /ws");
        api.ask(b"PUT /api/workflows/%a0\n{}");
        api.ask(b"no line of a request");
        api.ask(b"");
    }
}
