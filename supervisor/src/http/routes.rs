//! The table of endpoints.

use axum::http::Method;
use axum::routing::{MethodRouter, get, post};

use super::{Api, dashboard, executions, health, logs, openapi, pool, socket, transcript};

/// One endpoint: how it is reached and what the OpenAPI document says of it.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// Query and header parameters; `{id}` in the path speaks for itself.
    pub(super) parameters: &'static [DocumentedParameter],
    /// The schema of the body, if it takes one.
    pub(super) body: Option<&'static str>,
    /// The answers that are no errors.
    pub(super) answers: &'static [DocumentedResponse],
    pub(super) handler: MethodRouter<Api>,
}

/// A parameter of the query: name, JSON type, meaning.
pub(super) struct DocumentedParameter(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
);

/// An answer: status, meaning, media type and schema (empty when it has none).
pub(super) struct DocumentedResponse(
    pub(super) u16,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
);

const JSON: &str = "application/json";
const WAIT: DocumentedParameter = DocumentedParameter("wait", "number", "wait so many seconds for the end");

/// Every endpoint there is.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = execution_routes();
    routes.extend(pool_routes());
    routes.extend(process_routes());
    routes
}

fn execution_routes() -> Vec<Route> {
    vec![
        Route {
            method: Method::POST,
            path: "/api/executions",
            summary: "Submit an execution: the body of a queue message, execution_id optional",
            parameters: &[WAIT],
            body: Some("Request"),
            answers: &[
                DocumentedResponse(202, "accepted; with ?wait not over yet, then the row", JSON, "Accepted"),
                DocumentedResponse(200, "with ?wait: it is over", JSON, "Execution"),
            ],
            handler: post(executions::submit),
        },
        Route {
            method: Method::GET,
            path: "/api/executions",
            summary: "List executions, newest first",
            parameters: &[
                DocumentedParameter(
                    "status",
                    "string",
                    "only PENDING, RUNNING, SUCCESS, FAILED, TIMEOUT or CANCELLED",
                ),
                DocumentedParameter("workflow", "string", "only of the workflow of this name"),
                DocumentedParameter("organization", "string", "only of this organization"),
                DocumentedParameter("limit", "integer", "at most so many, 1 to 1000"),
                DocumentedParameter("cursor", "string", "next_cursor of the page before"),
            ],
            body: None,
            answers: &[DocumentedResponse(200, "a page", JSON, "ExecutionPage")],
            handler: get(executions::list),
        },
        Route {
            method: Method::GET,
            path: "/api/executions/{id}",
            summary: "One execution",
            parameters: &[WAIT],
            body: None,
            answers: &[
                DocumentedResponse(200, "the row", JSON, "Execution"),
                DocumentedResponse(202, "with ?wait: not over yet", JSON, "Execution"),
            ],
            handler: get(executions::show),
        },
        Route {
            method: Method::GET,
            path: "/api/executions/{id}/logs",
            summary: "The log of an execution; ?follow sends it live as server-sent events log, gap, status, progress and end",
            parameters: &[
                DocumentedParameter("follow", "boolean", "send events until the execution is over"),
                DocumentedParameter(
                    "cursor",
                    "string",
                    "next_cursor of the page before, or the id of an event",
                ),
            ],
            body: None,
            answers: &[DocumentedResponse(200, "a page, or events", JSON, "LogPage")],
            handler: get(logs::logs),
        },
        Route {
            method: Method::GET,
            path: "/api/executions/{id}/events",
            summary: "How an execution got where it is",
            parameters: &[],
            body: None,
            answers: &[DocumentedResponse(200, "all steps", JSON, "EventPage")],
            handler: get(executions::events),
        },
        Route {
            method: Method::GET,
            path: "/api/executions/{id}/transcript",
            summary: "The frames of an execution that did not succeed, as lines of JSON; kept by the supervisor that ran it",
            parameters: &[DocumentedParameter("attempt", "integer", "of this attempt; else of the latest")],
            body: None,
            answers: &[DocumentedResponse(200, "the transcript", "application/x-ndjson", "")],
            handler: get(transcript::transcript),
        },
        Route {
            method: Method::POST,
            path: "/api/executions/{id}/cancel",
            summary: "Ask for an execution to end",
            parameters: &[],
            body: None,
            answers: &[DocumentedResponse(200, "what the cancel did", JSON, "Cancelled")],
            handler: post(executions::cancel),
        },
        Route {
            method: Method::POST,
            path: "/api/executions/{id}/retry",
            summary: "Run an execution again, as a new one with retry_of",
            parameters: &[],
            body: None,
            answers: &[DocumentedResponse(202, "the new execution", JSON, "Accepted")],
            handler: post(executions::retry),
        },
    ]
}

fn pool_routes() -> Vec<Route> {
    let command = |path, summary, body, handler| Route {
        method: Method::POST,
        path,
        summary,
        parameters: &[],
        body,
        answers: &[DocumentedResponse(200, "the pool after it", JSON, "Pool")],
        handler,
    };
    vec![
        Route {
            method: Method::GET,
            path: "/api/pool",
            summary: "What the pool and its workers are doing",
            parameters: &[],
            body: None,
            answers: &[DocumentedResponse(200, "the pool", JSON, "Pool")],
            handler: get(pool::show),
        },
        command("/api/pool/resize", "Change the bounds of the pool", Some("Resize"), post(pool::resize)),
        command(
            "/api/pool/recycle",
            "Replace workers, none before its replacement is ready",
            Some("Recycle"),
            post(pool::recycle),
        ),
        command("/api/pool/reload", "Read the settings again and roll the workers", None, post(pool::reload)),
    ]
}

fn process_routes() -> Vec<Route> {
    let simple = |path, summary, answers, handler| Route {
        method: Method::GET,
        path,
        summary,
        parameters: &[],
        body: None,
        answers,
        handler,
    };
    vec![
        simple(
            "/ws",
            "WebSocket: send {\"subscribe\": [\"execution:ID\", \"executions\", \"pool\"]}, get {\"channel\", \"data\"}",
            &[DocumentedResponse(101, "switching to WebSocket", "", "")],
            get(socket::open),
        ),
        simple(
            "/healthz",
            "Whether the process is alive",
            &[DocumentedResponse(200, "alive", "text/plain", "")],
            get(health::alive),
        ),
        simple(
            "/readyz",
            "Whether it can take work (503 when not); with the token, part by part",
            &[DocumentedResponse(200, "ready", JSON, "Readiness")],
            get(health::ready),
        ),
        simple(
            "/metrics",
            "Metrics for Prometheus",
            &[DocumentedResponse(200, "OpenMetrics", "application/openmetrics-text", "")],
            get(health::metrics),
        ),
        simple(
            "/api/openapi.json",
            "This document",
            &[DocumentedResponse(200, "OpenAPI 3.1", JSON, "")],
            get(openapi::document),
        ),
        simple(
            "/",
            "The dashboard",
            &[DocumentedResponse(200, "a page", "text/html", "")],
            get(dashboard::page),
        ),
    ]
}
