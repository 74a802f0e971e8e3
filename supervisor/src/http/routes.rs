//! The table of endpoints.

use axum::Json;
use axum::routing::{get, post};
use muster_core::execution::RequestDraft;
use muster_store::ExecutionRecord;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::Type;

use super::admission_routes::{limit_routes, pause_routes};
use super::definition_routes::definition_routes;
use super::executions::EventPageView;
use super::fleet_routes::{dead_letter_routes, fleet_routes};
use super::listing::ExecutionPageView;
use super::openapi::openapi;
use super::route::{
    DocumentedParameter, DocumentedResponse, JSON, OPEN, OPERATE, OPERATE_ALL, Route, VIEW, VIEW_ALL, json,
    other,
};
use super::shape::Shape;
use super::token_routes::token_routes;
use super::{batch, dashboard, executions, health, listing, logs, pool, socket, statistics, transcript};
use crate::api::{
    AcceptedView, BatchView, CancelView, ExplanationView, LogPage, ManyView, PoolView, Readiness,
    RecycleRequest, ResizeRequest, RetryRequest, SelectionRequest, StatisticsView,
};

const WAIT: DocumentedParameter =
    DocumentedParameter("wait", Type::Number, "wait so many seconds for the end");

const IDEMPOTENCY_KEY: DocumentedParameter = DocumentedParameter(
    "Idempotency-Key",
    Type::String,
    "the same as idempotency_key in the body: a second submit with it is the first one's execution",
);

const TRACEPARENT: DocumentedParameter = DocumentedParameter(
    "traceparent",
    Type::String,
    "the trace of whoever asks, as W3C has it, for what says no traceparent in the body",
);

/// Every endpoint there is.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = execution_routes();
    routes.extend(fleet_routes());
    routes.extend(dead_letter_routes());
    routes.extend(pool_routes());
    routes.extend(definition_routes());
    routes.extend(limit_routes());
    routes.extend(pause_routes());
    routes.extend(token_routes());
    routes.extend(process_routes());
    routes
}

/// `GET /api/openapi.json`
async fn document() -> Json<OpenApi> {
    Json(openapi(routes()))
}

fn execution_routes() -> Vec<Route> {
    vec![
        Route {
            method: HttpMethod::Post,
            path: "/api/executions",
            operation_id: "submitExecution",
            summary: "Submit an execution: the body of a queue message, execution_id optional",
            rule: OPERATE,
            parameters: vec![WAIT, IDEMPOTENCY_KEY, TRACEPARENT],
            body: Some(Shape::of::<RequestDraft>()),
            answers: vec![
                json::<AcceptedView>(202, "accepted; with ?wait not over yet, then the row"),
                json::<ExecutionRecord>(
                    200,
                    "with ?wait: it is over; without: its idempotency_key was known, and this is the first one",
                ),
            ],
            handler: post(executions::submit),
        },
        Route {
            method: HttpMethod::Post,
            path: "/api/executions/batch",
            operation_id: "submitBatch",
            summary: "Submit up to 10,000 executions: a JSON array, or a line of JSON for each; one answer for each",
            rule: OPERATE,
            parameters: vec![TRACEPARENT],
            body: Some(Shape::of::<batch::BatchRequest>()),
            answers: vec![json::<BatchView>(
                200,
                "what became of each; nothing changes for the others when one is refused",
            )],
            handler: post(batch::submit),
        },
        Route {
            method: HttpMethod::Post,
            path: "/api/executions/cancel",
            operation_id: "cancelExecutions",
            summary: "Cancel the executions that all of this is true of, some at a time; or only count them",
            rule: OPERATE,
            parameters: vec![],
            body: Some(Shape::of::<SelectionRequest>()),
            answers: vec![json::<ManyView>(200, "what became of some of them; go on with next_cursor")],
            handler: post(executions::cancel_many),
        },
        Route {
            method: HttpMethod::Post,
            path: "/api/executions/retry",
            operation_id: "retryExecutions",
            summary: "Run the executions again that all of this is true of, each once, some at a time; or only count them",
            rule: OPERATE,
            parameters: vec![],
            body: Some(Shape::of::<SelectionRequest>()),
            answers: vec![json::<ManyView>(200, "what became of some of them; go on with next_cursor")],
            handler: post(executions::retry_many),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/executions",
            operation_id: "listExecutions",
            summary: "List executions, newest first",
            rule: VIEW,
            parameters: vec![
                DocumentedParameter(
                    "status",
                    Type::String,
                    "only PENDING, RUNNING, SUCCESS, FAILED, TIMEOUT or CANCELLED; may be there several times",
                ),
                DocumentedParameter("workflow", Type::String, "only of the workflow of this name"),
                DocumentedParameter(
                    "organization",
                    Type::String,
                    "only of this organization, by its key or id",
                ),
                DocumentedParameter("queue", Type::String, "only in this queue"),
                DocumentedParameter(
                    "id",
                    Type::String,
                    "only those whose ids begin so; with it there is but one page",
                ),
                DocumentedParameter(
                    "error_type",
                    Type::String,
                    "only those that ended with an error of this type",
                ),
                DocumentedParameter("since", Type::String, "only those created then or later, in RFC 3339"),
                DocumentedParameter("until", Type::String, "only those created before then, in RFC 3339"),
                DocumentedParameter("limit", Type::Integer, "at most so many, 1 to 1000"),
                DocumentedParameter("cursor", Type::String, "next_cursor of the page before"),
            ],
            body: None,
            answers: vec![json::<ExecutionPageView>(200, "a page")],
            handler: get(listing::list),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/statistics",
            operation_id: "getStatistics",
            summary: "How many executions of each workflow ended lately, how, and how long they ran",
            rule: VIEW,
            parameters: vec![
                DocumentedParameter(
                    "since",
                    Type::String,
                    "those created then or later, in RFC 3339; left out, in the last day",
                ),
                DocumentedParameter("workflow", Type::String, "only of the workflow of this name"),
                DocumentedParameter(
                    "organization",
                    Type::String,
                    "only of this organization, by its key or id",
                ),
            ],
            body: None,
            answers: vec![json::<StatisticsView>(200, "by workflow")],
            handler: get(statistics::statistics),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/executions/{id}",
            operation_id: "getExecution",
            summary: "One execution",
            rule: VIEW,
            parameters: vec![WAIT],
            body: None,
            answers: vec![
                json::<ExecutionRecord>(200, "the row"),
                json::<ExecutionRecord>(202, "with ?wait: not over yet"),
            ],
            handler: get(executions::show),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/executions/{id}/logs",
            operation_id: "getExecutionLogs",
            summary: "The log of an execution; ?follow sends it live as server-sent events log, gap, status, progress and end",
            rule: VIEW,
            parameters: vec![
                DocumentedParameter("follow", Type::Boolean, "send events until the execution is over"),
                DocumentedParameter(
                    "cursor",
                    Type::String,
                    "next_cursor of the page before, or the id of an event",
                ),
            ],
            body: None,
            answers: vec![json::<LogPage>(200, "a page, or events")],
            handler: get(logs::logs),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/executions/{id}/events",
            operation_id: "getExecutionEvents",
            summary: "How an execution got where it is",
            rule: VIEW,
            parameters: vec![],
            body: None,
            answers: vec![json::<EventPageView>(200, "all steps")],
            handler: get(executions::events),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/executions/{id}/explain",
            operation_id: "explainExecution",
            summary: "Why an execution does not run yet, where it runs, or how it ended",
            rule: VIEW,
            parameters: vec![],
            body: None,
            answers: vec![json::<ExplanationView>(200, "the reasons")],
            handler: get(executions::explain),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/executions/{id}/transcript",
            operation_id: "getExecutionTranscript",
            summary: "The frames of an execution that did not succeed, as lines of JSON; kept by the supervisor that ran it",
            rule: VIEW,
            parameters: vec![DocumentedParameter(
                "attempt",
                Type::Integer,
                "of this attempt; else of the latest",
            )],
            body: None,
            answers: vec![other("the transcript", "application/x-ndjson")],
            handler: get(transcript::transcript),
        },
        Route {
            method: HttpMethod::Post,
            path: "/api/executions/{id}/cancel",
            operation_id: "cancelExecution",
            summary: "Ask for an execution to end",
            rule: OPERATE,
            parameters: vec![],
            body: None,
            answers: vec![json::<CancelView>(200, "what the cancel did")],
            handler: post(executions::cancel),
        },
        Route {
            method: HttpMethod::Post,
            path: "/api/executions/{id}/retry",
            operation_id: "retryExecution",
            summary: "Run an execution again, as a new one with retry_of",
            rule: OPERATE,
            parameters: vec![],
            body: Some(Shape::of::<RetryRequest>()),
            answers: vec![json::<AcceptedView>(202, "the new execution")],
            handler: post(executions::retry),
        },
    ]
}

fn pool_routes() -> Vec<Route> {
    let command = |path, operation_id, summary, body, handler| Route {
        method: HttpMethod::Post,
        path,
        operation_id,
        summary,
        rule: OPERATE_ALL,
        parameters: vec![],
        body,
        answers: vec![json::<PoolView>(200, "the pool after it")],
        handler,
    };
    vec![
        Route {
            method: HttpMethod::Get,
            path: "/api/pool",
            operation_id: "getPool",
            summary: "What the pool and its workers are doing",
            rule: VIEW_ALL,
            parameters: vec![],
            body: None,
            answers: vec![json::<PoolView>(200, "the pool")],
            handler: get(pool::show),
        },
        command(
            "/api/pool/resize",
            "resizePool",
            "Change the bounds of the pool",
            Some(Shape::of::<ResizeRequest>()),
            post(pool::resize),
        ),
        command(
            "/api/pool/recycle",
            "recyclePool",
            "Replace workers, none before its replacement is ready",
            Some(Shape::of::<RecycleRequest>()),
            post(pool::recycle),
        ),
        command(
            "/api/pool/reload",
            "reloadPool",
            "Read the settings again and roll the workers",
            None,
            post(pool::reload),
        ),
    ]
}

fn process_routes() -> Vec<Route> {
    let simple = |rule, path, operation_id, summary, answer, handler| Route {
        method: HttpMethod::Get,
        path,
        operation_id,
        summary,
        rule,
        parameters: vec![],
        body: None,
        answers: vec![answer],
        handler,
    };
    vec![
        simple(
            VIEW,
            "/ws",
            "openWebSocket",
            "WebSocket: send {\"subscribe\": [\"execution:ID\", \"executions\", \"pool\"]}, get {\"channel\", \"data\"}",
            DocumentedResponse {
                status: 101,
                meaning: "switching to WebSocket",
                media_type: None,
                shape: None,
            },
            get(socket::open),
        ),
        simple(
            OPEN,
            "/healthz",
            "getHealth",
            "Whether the process is alive",
            other("alive", "text/plain"),
            get(health::alive),
        ),
        simple(
            OPEN,
            "/readyz",
            "getReadiness",
            "Whether it can take work (503 when not); with the token, part by part",
            json::<Readiness>(200, "ready"),
            get(health::ready),
        ),
        simple(
            VIEW_ALL,
            "/metrics",
            "getMetrics",
            "Metrics for Prometheus",
            other("OpenMetrics", "application/openmetrics-text"),
            get(health::metrics),
        ),
        simple(
            VIEW,
            "/api/openapi.json",
            "getOpenApi",
            "This document",
            other("OpenAPI 3.1", JSON),
            get(document),
        ),
        simple(
            OPEN,
            "/",
            "getDashboard",
            "The dashboard",
            other("a page", "text/html"),
            get(dashboard::overview),
        ),
    ]
}
