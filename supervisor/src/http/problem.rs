//! Errors as `application/problem+json` (RFC 9457).

use std::path::Path;

use axum::body::to_bytes;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use muster_core::access::AccessRefusal;
use muster_core::execution::InvalidRequest;
use muster_store::StoreError;
use uuid::Uuid;

use super::audit::RefusedFor;
use crate::access::Caller;
use crate::api::{ProblemView, ServiceError};

/// The most that is read of what the library says.
const REFUSAL_MAX_BYTES: usize = 4096;

/// An error on its way to a client: its kind, which fixes status and title, and what happened.
#[derive(Debug)]
pub(super) struct ApiError {
    kind: ErrorKind,
    detail: String,
    /// All that is wrong with a request, a sentence each.
    problems: Vec<String>,
    /// Where the token is kept that was not shown.
    token_file: Option<String>,
    /// Where a limit is full: an execution that is in it.
    execution_id: Option<Uuid>,
    /// For the audit alone: that it is a refusal, though it looks like another error.
    refused_for: Option<String>,
}

/// The kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorKind {
    Invalid,
    Unauthorized,
    Forbidden,
    NotFound,
    NoSuchMethod,
    Conflict,
    TooLarge,
    Unstorable,
    KeyReused,
    IdTaken,
    LimitReached,
    Failed,
    Unavailable,
}

impl ErrorKind {
    fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict | Self::IdTaken | Self::LimitReached => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unstorable | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The last part of the problem's type, and its title.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Invalid => ("invalid-request", "The request is not valid"),
            Self::Unauthorized => ("unauthorized", "A token is needed"),
            Self::Forbidden => ("forbidden", "Not allowed"),
            Self::NotFound => ("not-found", "There is no such thing"),
            Self::NoSuchMethod => ("method-not-allowed", "Not with this method"),
            Self::Conflict => ("conflict", "Not in this state"),
            Self::TooLarge => ("too-large", "The body is too large"),
            Self::Unstorable => ("not-storable", "The database will not store it"),
            Self::LimitReached => ("limit-reached", "LimitReached"),
            Self::IdTaken => ("execution-id-taken", "ExecutionIdTaken"),
            Self::KeyReused => ("idempotency-key-reused", "IdempotencyKeyReused"),
            Self::Failed => ("failed", "The supervisor failed"),
            Self::Unavailable => ("unavailable", "Not now"),
        }
    }
}

impl ApiError {
    pub(super) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            problems: Vec::new(),
            token_file: None,
            execution_id: None,
            refused_for: None,
        }
    }

    /// The token was not shown; where it is kept, if that may be said.
    pub(super) fn no_token(file: Option<&Path>) -> Self {
        let file = file.map(|file| file.display().to_string());
        let place = file.as_deref().unwrap_or("the setting http_token");
        let detail = format!("show the token in the header `authorization: Bearer TOKEN`; it is in {place}");
        Self { token_file: file, ..Self::new(ErrorKind::Unauthorized, detail) }
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, detail)
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, detail)
    }

    /// A request with several problems, which `detail` tells in one text.
    pub(super) fn with_problems(detail: String, problems: Vec<String>) -> Self {
        Self { problems, ..Self::invalid(detail) }
    }

    pub(super) fn no_execution(id: uuid::Uuid) -> Self {
        Self::not_found(format!("there is no execution {id}"))
    }

    /// Of an execution that is of another organization than theirs is said what is said of one that is not there.
    pub(super) fn hidden_execution(id: Uuid) -> Self {
        let reason = format!("execution {id} is not of the organization that the token is bound to");
        Self::no_execution(id).refused_for(reason)
    }

    /// The same, and for the audit this is why.
    pub(super) fn refused_for(self, reason: String) -> Self {
        Self { refused_for: Some(reason), ..self }
    }

    /// The token that they were let in with counted while they waited.
    pub(super) fn token_ended() -> Self {
        Self::new(ErrorKind::Unauthorized, "the token shown counts no more")
    }

    /// Where a limit is full: an execution that is in it.
    pub(super) fn execution_id(&self) -> Option<Uuid> {
        self.execution_id
    }

    /// Without the execution of another organization that a limit is full of.
    pub(super) fn without_execution(self) -> Self {
        let Some(id) = self.execution_id else { return self };
        let detail = self.detail.replace(&format!("execution {id}"), "an execution of another organization");
        Self { detail, execution_id: None, ..self }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, detail)
    }
}

impl ApiError {
    /// The error as it is told.
    pub(super) fn into_view(self) -> ProblemView {
        let (slug, title) = self.kind.words();
        ProblemView {
            kind: format!("/problems/{slug}"),
            title: title.to_owned(),
            status: self.kind.status().as_u16(),
            detail: self.detail,
            problems: self.problems,
            execution_id: self.execution_id,
            token_file: self.token_file,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = self.kind;
        let refused_for = match kind {
            ErrorKind::Unauthorized | ErrorKind::Forbidden => Some(self.detail.clone()),
            ErrorKind::Invalid
            | ErrorKind::NotFound
            | ErrorKind::NoSuchMethod
            | ErrorKind::Conflict
            | ErrorKind::TooLarge
            | ErrorKind::KeyReused
            | ErrorKind::IdTaken
            | ErrorKind::LimitReached
            | ErrorKind::Unstorable
            | ErrorKind::Failed
            | ErrorKind::Unavailable => self.refused_for.clone(),
        };
        let mut response = (kind.status(), axum::Json(self.into_view())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match kind {
            ErrorKind::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            ErrorKind::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            ErrorKind::Invalid
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::NoSuchMethod
            | ErrorKind::Conflict
            | ErrorKind::TooLarge
            | ErrorKind::KeyReused
            | ErrorKind::IdTaken
            | ErrorKind::LimitReached
            | ErrorKind::Unstorable
            | ErrorKind::Failed => {}
        }
        if let Some(reason) = refused_for {
            response.extensions_mut().insert(RefusedFor(reason));
        }
        response
    }
}

impl From<AccessRefusal> for ApiError {
    fn from(refusal: AccessRefusal) -> Self {
        let kind = match refusal {
            AccessRefusal::NoToken => return Self::no_token(None),
            AccessRefusal::RoleTooSmall { .. }
            | AccessRefusal::NotOfOneOrganization { .. }
            | AccessRefusal::OtherOrganization => ErrorKind::Forbidden,
        };
        Self::new(kind, refusal.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Unreachable { .. }
            | StoreError::NoRoom { .. }
            | StoreError::Damaged { .. }
            | StoreError::Locked { .. }
            | StoreError::StalePlan { .. }
            | StoreError::CommitUnknown { .. } => ErrorKind::Unavailable,
            StoreError::Refused { .. } => ErrorKind::Unstorable,
            StoreError::NotBuilt
            | StoreError::Incompatible { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Failed { .. } => ErrorKind::Failed,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NotFound(detail) => Self::new(ErrorKind::NotFound, detail),
            ServiceError::Invalid(detail) => Self::invalid(detail),
            ServiceError::InvalidParameters { ref problems, .. } => {
                let problems = problems.clone();
                Self::with_problems(error.to_string(), problems)
            }
            ServiceError::InvalidDefinitions { ref problems } => {
                let problems = problems.clone();
                Self::with_problems(error.to_string(), problems)
            }
            ServiceError::KeyReused(_) => Self::new(ErrorKind::KeyReused, error.to_string()),
            ServiceError::IdTaken(_) => Self::new(ErrorKind::IdTaken, error.to_string()),
            ServiceError::LimitReached { holder, .. } => {
                Self { execution_id: holder, ..Self::new(ErrorKind::LimitReached, error.to_string()) }
            }
            ServiceError::Conflict(detail) => Self::new(ErrorKind::Conflict, detail),
            ServiceError::Unavailable(detail) => Self::new(ErrorKind::Unavailable, detail),
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidRequest> for ApiError {
    fn from(error: InvalidRequest) -> Self {
        Self::with_problems(error.to_string(), error.problems)
    }
}

/// What the library refuses by itself, such as a path that is no text, said as every other refusal.
pub(super) async fn as_a_problem(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_text = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(is_text && response.status().is_client_error()) {
        return response;
    }
    let text = to_bytes(response.into_body(), REFUSAL_MAX_BYTES).await.unwrap_or_default();
    ApiError::invalid(String::from_utf8_lossy(&text)).into_response()
}

/// No endpoint has this path, which is told to those who were let in.
pub(super) async fn no_such_endpoint(_: Caller, uri: Uri) -> ApiError {
    no_such_path(uri).await
}

/// There is nothing at this path.
pub(super) async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::new(
        ErrorKind::NotFound,
        format!("nothing is at {}: the endpoints are in /api/openapi.json", uri.path()),
    )
}

/// The endpoint does not know this method.
pub(super) async fn no_such_method(_: Caller, method: Method, uri: Uri) -> ApiError {
    let detail = format!("{} does not take {method}: the endpoints are in /api/openapi.json", uri.path());
    ApiError::new(ErrorKind::NoSuchMethod, detail)
}
