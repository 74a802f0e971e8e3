//! The endpoints of what keeps executions from starting: limits and pauses.

use axum::routing::{delete, get, put};
use muster_core::limit::LimitTerms;
use utoipa::openapi::path::HttpMethod;

use super::route::{ADMIN_ALL, OPERATE, Route, VIEW, VIEW_ALL, json};
use super::shape::Shape;
use super::{limits, pauses};
use crate::api::{LimitRemovedView, LimitView, LimitsView, PauseRequest, PauseView, PausesView, ResumedView};

pub(super) fn limit_routes() -> Vec<Route> {
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

pub(super) fn pause_routes() -> Vec<Route> {
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
