//! One endpoint, and the words in which the OpenAPI document speaks of it.

use axum::routing::MethodRouter;
use muster_core::access::{AccessRule, Reach, Role};
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::Type;

use super::Api;
use super::shape::Shape;

/// One endpoint: how it is reached and what the OpenAPI document says of it.
pub(super) struct Route {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    /// What the clients that are generated from the document call it.
    pub(super) operation_id: &'static str,
    pub(super) summary: &'static str,
    /// What it asks of whoever calls it. This is the one place that says so: the router holds it to it, the document and
    /// the page about access show it.
    pub(super) rule: AccessRule,
    /// Parameters of the query and headers; `{id}`, `{key}` and `{name}` in the path speak for themselves.
    pub(super) parameters: Vec<DocumentedParameter>,
    /// The body, if it takes one.
    pub(super) body: Option<Shape>,
    /// The answers that are no errors.
    pub(super) answers: Vec<DocumentedResponse>,
    pub(super) handler: MethodRouter<Api>,
}

/// Anybody may: it tells strangers nothing that matters.
pub(super) const OPEN: AccessRule = AccessRule::Open;
/// To look at things of organizations. Who is bound to one sees its own.
pub(super) const VIEW: AccessRule = AccessRule::Needs(Role::View, Reach::Organization);
/// To run and stop things of organizations. Who is bound to one does so with its own.
pub(super) const OPERATE: AccessRule = AccessRule::Needs(Role::Operate, Reach::Organization);
/// To define things of organizations. Who is bound to one defines its own.
pub(super) const ADMIN: AccessRule = AccessRule::Needs(Role::Admin, Reach::Organization);
/// To look at what is shared by all. Nobody who is bound to an organization may.
pub(super) const VIEW_ALL: AccessRule = AccessRule::Needs(Role::View, Reach::Fleet);
/// To operate what is shared by all.
pub(super) const OPERATE_ALL: AccessRule = AccessRule::Needs(Role::Operate, Reach::Fleet);
/// To define what is shared by all, and to say who is let in.
pub(super) const ADMIN_ALL: AccessRule = AccessRule::Needs(Role::Admin, Reach::Fleet);

impl Route {
    /// The path as the document has it: `{*name}` may hold slashes, which is nothing to who calls it.
    pub(super) fn documented_path(&self) -> String {
        self.path.replace("{*", "{")
    }
}

/// A parameter of the query, or a header: name, JSON type, meaning.
pub(super) struct DocumentedParameter(pub(super) &'static str, pub(super) Type, pub(super) &'static str);

impl DocumentedParameter {
    /// Headers have a dash in their names, but that of W3C.
    pub(super) fn is_header(&self) -> bool {
        self.0.contains('-') || self.0 == "traceparent"
    }
}

/// An answer. Some have no body, and some bodies no schema.
pub(super) struct DocumentedResponse {
    pub(super) status: u16,
    pub(super) meaning: &'static str,
    pub(super) media_type: Option<&'static str>,
    pub(super) shape: Option<Shape>,
}

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

/// An answer of JSON.
pub(super) fn json<T: ToSchema>(status: u16, meaning: &'static str) -> DocumentedResponse {
    DocumentedResponse { status, meaning, media_type: Some(JSON), shape: Some(Shape::of::<T>()) }
}

/// An answer whose inside is described elsewhere.
pub(super) fn other(meaning: &'static str, media_type: &'static str) -> DocumentedResponse {
    DocumentedResponse { status: 200, meaning, media_type: Some(media_type), shape: None }
}
