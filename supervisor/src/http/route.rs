//! One endpoint, and the words in which the OpenAPI document speaks of it.

use axum::routing::MethodRouter;
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
    /// Parameters of the query and headers; `{id}`, `{key}` and `{name}` in the path speak for themselves.
    pub(super) parameters: Vec<DocumentedParameter>,
    /// The body, if it takes one.
    pub(super) body: Option<Shape>,
    /// The answers that are no errors.
    pub(super) answers: Vec<DocumentedResponse>,
    pub(super) handler: MethodRouter<Api>,
}

impl Route {
    /// The path as the document has it: `{*name}` may hold slashes, which is nothing to who calls it.
    pub(super) fn documented_path(&self) -> String {
        self.path.replace("{*", "{")
    }
}

/// A parameter of the query, or a header, which has a dash in its name: name, JSON type, meaning.
pub(super) struct DocumentedParameter(pub(super) &'static str, pub(super) Type, pub(super) &'static str);

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
