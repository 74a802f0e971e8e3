//! The endpoints of tokens.

use axum::routing::{delete, get, post};
use utoipa::openapi::path::HttpMethod;

use super::route::{ADMIN_ALL, Route, VIEW, json};
use super::shape::Shape;
use super::tokens;
use crate::api::{
    AccessView, MadeTokenView, TokenRemovedView, TokenRequest, TokenRotationRequest, TokensView,
};

pub(super) fn token_routes() -> Vec<Route> {
    vec![
        Route {
            method: HttpMethod::Get,
            path: "/api/access",
            operation_id: "getAccess",
            summary: "Who asks, and what they may do",
            rule: VIEW,
            parameters: vec![],
            body: None,
            answers: vec![json::<AccessView>(200, "by the token that was shown")],
            handler: get(tokens::who),
        },
        Route {
            method: HttpMethod::Get,
            path: "/api/tokens",
            operation_id: "listTokens",
            summary: "Who is let in beside the holder of http_token",
            rule: ADMIN_ALL,
            parameters: vec![],
            body: None,
            answers: vec![json::<TokensView>(200, "by name, without what lets in")],
            handler: get(tokens::list),
        },
        Route {
            method: HttpMethod::Post,
            path: "/api/tokens",
            operation_id: "createToken",
            summary: "Make a token; what its holder shows is told this once",
            rule: ADMIN_ALL,
            parameters: vec![],
            body: Some(Shape::of::<TokenRequest>()),
            answers: vec![json::<MadeTokenView>(200, "the token, with its secret")],
            handler: post(tokens::create),
        },
        Route {
            method: HttpMethod::Post,
            path: "/api/tokens/{key}/rotate",
            operation_id: "rotateToken",
            summary: "Give a token another secret; the one before counts no more, or for an overlap",
            rule: ADMIN_ALL,
            parameters: vec![],
            body: Some(Shape::of::<TokenRotationRequest>()),
            answers: vec![json::<MadeTokenView>(200, "the token, with its new secret")],
            handler: post(tokens::rotate),
        },
        Route {
            method: HttpMethod::Delete,
            path: "/api/tokens/{key}",
            operation_id: "deleteToken",
            summary: "Remove a token: nobody is let in with it from then on",
            rule: ADMIN_ALL,
            parameters: vec![],
            body: None,
            answers: vec![json::<TokenRemovedView>(200, "it is removed")],
            handler: delete(tokens::remove),
        },
    ]
}
