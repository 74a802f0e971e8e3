//! The table of endpoints.

use axum::Json;
use axum::routing::{delete, get, post, put};
use muster_core::execution::RequestDraft;
use muster_store::{ExecutionRecord, LimitTerms};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::Type;

use super::definition_routes::definition_routes;
use super::executions::EventPageView;
use super::listing::ExecutionPageView;
use super::openapi::openapi;
use super::route::{
    ADMIN_ALL, DocumentedParameter, DocumentedResponse, JSON, OPEN, OPERATE, OPERATE_ALL, Route, VIEW,
    VIEW_ALL, json, other,
};
use super::shape::Shape;
use super::token_routes::token_routes;
use super::{
    batch, dashboard, dead_letters, executions, fleet, health, limits, listing, logs, pauses, pool, socket,
    statistics, transcript,
};
use crate::api::{
    AcceptedView, BatchView, CancelView, DeadLetterWish, DeadLettersMovedView, DeadLettersView,
    ExplanationView, FleetView, HistoryView, LimitRemovedView, LimitView, LimitsView, LogPage, ManyView,
    PauseRequest, PauseView, PausesView, PoolView, Readiness, RecycleRequest, ReportView, ResizeRequest,
    ResumedView, RetryRequest, SelectionRequest, StatisticsView,
};

const WAIT: DocumentedParameter =
    DocumentedParameter("wait", Type::Number, "wait so many seconds for the end");

const IDEMPOTENCY_KEY: DocumentedParameter = DocumentedParameter(
    "Idempotency-Key",
    Type::String,
    "the same as idempotency_key in the body: a second submit with it is the first one's execution",
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
            parameters: vec![WAIT, IDEMPOTENCY_KEY],
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
            parameters: vec![],
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
                    "only PENDING, RUNNING, SUCCESS, FAILED, TIMEOUT or CANCELLED",
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

fn fleet_routes() -> Vec<Route> {
    vec![
        Route {
            method: HttpMethod::Get,
            path: "/api/fleet",
            operation_id: "getFleet",
            summary: "Every supervisor on the database: who it is, whether it lives, what it does",
            rule: VIEW_ALL,
            parameters: vec![],
            body: None,
            answers: vec![json::<FleetView>(200, "the supervisors")],
            handler: get(fleet::show),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/report",
            operation_id: "getReport",
            summary: "How the fleet is: flow, execution and servers, each with what it is judged by and what to do next",
            rule: VIEW_ALL,
            parameters: vec![],
            body: None,
            answers: vec![json::<ReportView>(200, "the verdict")],
            handler: get(fleet::report),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/history",
            operation_id: "getHistory",
            summary: "What all supervisors noted of the last hour, day or week, in steps: ends, run times, waits, workers, whose they were",
            rule: VIEW_ALL,
            parameters: vec![DocumentedParameter(
                "span",
                Type::String,
                "hour (by the minute; the default), day (by the quarter of an hour) or week (by two hours)",
            )],
            body: None,
            answers: vec![json::<HistoryView>(200, "the steps")],
            handler: get(fleet::history),
        },
    ]
}

fn dead_letter_routes() -> Vec<Route> {
    let move_letters = |rule, path, operation_id, summary, handler| Route {
        method: HttpMethod::Post,
        path,
        operation_id,
        summary,
        rule,
        parameters: vec![],
        body: Some(Shape::of::<DeadLetterWish>()),
        answers: vec![json::<DeadLettersMovedView>(200, "how many")],
        handler,
    };
    vec![
        Route {
            method: HttpMethod::Get,
            path: "/api/dead-letters",
            operation_id: "listDeadLetters",
            summary: "Messages of RabbitMQ that could not be used, the oldest first",
            rule: VIEW_ALL,
            parameters: vec![
                DocumentedParameter(
                    "queue",
                    Type::String,
                    "of this queue; left out, of the first one that is served",
                ),
                DocumentedParameter("limit", Type::Integer, "at most so many; 1000 at most"),
            ],
            body: None,
            answers: vec![json::<DeadLettersView>(200, "the letters")],
            handler: get(dead_letters::list),
        },
        move_letters(
            OPERATE_ALL,
            "/api/dead-letters/replay",
            "replayDeadLetters",
            "Put dead letters back into the queue, one of them as another message",
            post(dead_letters::replay),
        ),
        move_letters(
            ADMIN_ALL,
            "/api/dead-letters/purge",
            "purgeDeadLetters",
            "Throw dead letters away",
            post(dead_letters::purge),
        ),
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

fn limit_routes() -> Vec<Route> {
    let one = |method, rule, operation_id, summary, body, answer, handler| Route {
        method,
        path: "/api/limits/{name}",
        operation_id,
        summary,
        rule,
        parameters: vec![],
        body,
        answers: vec![answer],
        handler,
    };
    vec![
        Route {
            method: HttpMethod::Get,
            path: "/api/limits",
            operation_id: "listLimits",
            summary: "How many executions may run at once, and how full that is",
            rule: VIEW_ALL,
            parameters: vec![],
            body: None,
            answers: vec![json::<LimitsView>(200, "by name")],
            handler: get(limits::list),
        },
        one(
            HttpMethod::Get,
            VIEW_ALL,
            "getLimit",
            "One limit",
            None,
            json::<LimitView>(200, "the limit"),
            get(limits::show),
        ),
        one(
            HttpMethod::Put,
            ADMIN_ALL,
            "putLimit",
            "Set what a limit allows, from the next claim on",
            Some(Shape::of::<LimitTerms>()),
            json::<LimitView>(200, "the limit"),
            put(limits::set),
        ),
        one(
            HttpMethod::Delete,
            ADMIN_ALL,
            "deleteLimit",
            "Remove a limit, and let go what waits for it",
            None,
            json::<LimitRemovedView>(200, "it is removed"),
            delete(limits::remove),
        ),
    ]
}

fn pause_routes() -> Vec<Route> {
    let route = |method, rule, path, operation_id, summary, body, answer, handler| Route {
        method,
        path,
        operation_id,
        summary,
        rule,
        parameters: vec![],
        body,
        answers: vec![answer],
        handler,
    };
    const ONE: &str = "/api/pauses/{*target}";
    vec![
        route(
            HttpMethod::Get,
            VIEW,
            "/api/pauses",
            "listPauses",
            "What is paused, by whom and why",
            None,
            json::<PausesView>(200, "all pauses"),
            get(pauses::list),
        ),
        route(
            HttpMethod::Put,
            OPERATE,
            ONE,
            "pause",
            "Let nothing start of all, queue:NAME, workflow:NAME or organization:KEY; what runs goes on",
            Some(Shape::of::<PauseRequest>()),
            json::<PauseView>(200, "it is paused"),
            put(pauses::pause),
        ),
        route(
            HttpMethod::Delete,
            OPERATE,
            ONE,
            "resume",
            "Let it start again, in its order",
            None,
            json::<ResumedView>(200, "it is not paused"),
            delete(pauses::resume),
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
