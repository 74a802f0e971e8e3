//! The endpoints of the fleet, and of what its broker holds that nobody could use.

use axum::routing::{get, post};
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::Type;

use super::route::{ADMIN_ALL, DocumentedParameter, OPERATE_ALL, Route, VIEW_ALL, json};
use super::shape::Shape;
use super::{dead_letters, fleet};
use crate::api::{DeadLetterWish, DeadLettersMovedView, DeadLettersView, FleetView, HistoryView, ReportView};

pub(super) fn fleet_routes() -> Vec<Route> {
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

pub(super) fn dead_letter_routes() -> Vec<Route> {
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
