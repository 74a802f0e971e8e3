//! What all endpoints of definitions share: who asks, whose it is, and the change itself.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use muster_core::nearest::nearest;
use serde::de::DeserializeOwned;
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::Api;
use super::audit::noting;
use super::guard::caller;
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::access::{Caller, Credential};
use crate::api::{ChangesView, DefinitionsView, PlanView};
use crate::client::USER_HEADER;
use crate::definitions::{DefinitionEdit, DefinitionWish, change_view, whole};

/// How many changes a page has when nobody says.
const PAGE_DEFAULT: usize = 50;
/// How many it has at most.
const PAGE_MAX: usize = 1_000;
/// The longest name of whoever asks.
const WHO_MAX_CHARS: usize = 200;

/// Who asks: for the record of changes.
pub(super) struct Requester {
    /// The name of their token, who they say they are, and from where they ask.
    pub(super) who: String,
    /// What they were let in by.
    pub(super) caller: Caller,
}

/// The words for them. The name of a token is sure, so it comes first; what they say of themselves is in brackets behind it.
/// Whoever has the token of the settings is who they say.
fn words(caller: &Caller, said: Option<&str>, peer: &str) -> String {
    match (&caller.credential, said) {
        (Credential::Named { name, .. }, Some(said)) => format!("token {name} ({said}) from {peer}"),
        (Credential::Named { name, .. }, None) => format!("token {name} from {peer}"),
        (Credential::Open | Credential::Setting, Some(said)) => format!("{said} from {peer}"),
        (Credential::Open | Credential::Setting, None) => peer.to_owned(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Requester {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = caller(parts)?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or_else(|| "unknown".to_owned(), |ConnectInfo(peer)| peer.ip().to_string());
        let said = parts.headers.get(USER_HEADER).and_then(|value| value.to_str().ok()).map(str::trim);
        let said = said.filter(|said| !said.is_empty());
        let said = said.map(|said| said.chars().take(WHO_MAX_CHARS).collect::<String>());
        Ok(Self { who: words(&caller, said.as_deref(), &peer), caller })
    }
}

/// `?organization=KEY`: whose it is; left out, everybody's.
pub(super) fn owner(query: &mut QueryParameters) -> Result<Option<String>, ApiError> {
    query.take("organization")
}

/// Makes one change and answers with what it came to. `?dry_run` only tells.
pub(super) async fn change(
    api: &Api,
    requester: Requester,
    query: QueryParameters,
    edit: DefinitionEdit,
) -> Result<Response, ApiError> {
    let wanted = api.own_wish(&requester.caller, edit).await?;
    wish(api, requester, query, wanted).await
}

async fn wish(
    api: &Api,
    Requester { who, .. }: Requester,
    mut query: QueryParameters,
    wish: DefinitionWish,
) -> Result<Response, ApiError> {
    let dry_run = query.switch("dry_run")?;
    query.end()?;
    let plan = api.service.edit_definitions(wish, &who, dry_run).await?;
    let detail = summary(&plan);
    Ok(noting(Json(plan).into_response(), detail))
}

/// What was changed, for the log.
pub(super) fn summary(plan: &PlanView) -> String {
    let mut text = format!("{} changes", plan.changes.len());
    if let [only] = plan.changes.as_slice() {
        text = format!("{} {}", only.kind, only.name);
    }
    if plan.is_applied { text } else { format!("{text}, not applied") }
}

/// The one that is meant, or what is most like it.
pub(super) fn only<T>(
    noun: &str,
    name: &str,
    all: Vec<T>,
    is_meant: impl Fn(&T) -> bool,
    name_of: impl Fn(&T) -> &str,
) -> Result<T, ApiError> {
    let hint = match nearest(name, all.iter().map(&name_of)) {
        Some(meant) if meant != name => format!("; did you mean {meant}?"),
        Some(_) => " of this organization, though another has one".to_owned(),
        None => String::new(),
    };
    let found = all.into_iter().find(is_meant);
    found.ok_or_else(|| ApiError::not_found(format!("no {noun} {name:?} is defined{hint}")))
}

/// `GET /api/definitions`
pub(super) async fn export(State(api): State<Api>) -> Result<Json<DefinitionsView>, ApiError> {
    Ok(Json(whole(&api.store.definitions().await?)))
}

/// `POST /api/definitions`
pub(super) async fn apply(
    State(api): State<Api>,
    requester: Requester,
    mut query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let prune = query.switch("prune")?;
    let wanted: DefinitionsView = body.definition()?;
    wish(&api, requester, query, DefinitionWish::Whole { wanted, prune }).await
}

/// `GET /api/changes`
pub(super) async fn changes(
    State(api): State<Api>,
    mut query: QueryParameters,
) -> Result<Json<ChangesView>, ApiError> {
    let before: Option<i64> = query.take("cursor")?;
    let limit = query.take("limit")?.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    query.end()?;
    let records = api.store.changes(before, limit).await?;
    let next_cursor = records.last().filter(|_| records.len() >= limit).map(|last| last.number);
    Ok(Json(ChangesView { changes: records.into_iter().map(change_view).collect(), next_cursor }))
}

impl RequestBody {
    /// A definition. A field that there is not is named with the nearest one that there is.
    pub(super) fn definition<T: DeserializeOwned + PartialSchema>(&self) -> Result<T, ApiError> {
        self.json().map_err(|error| match unknown_field::<T>(error.detail()) {
            Some(problem) => ApiError::invalid(problem),
            None => error,
        })
    }
}

/// What to say of a field that serde does not know.
fn unknown_field<T: PartialSchema>(detail: &str) -> Option<String> {
    let name = detail.split_once("unknown field `")?.1.split('`').next()?;
    let RefOr::T(Schema::Object(object)) = T::schema() else { return None };
    let known: Vec<String> = object.properties.into_keys().collect();
    Some(match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("{name}: there is no such field; did you mean {meant}?"),
        None => format!("{name}: there is no such field; there are {}", known.join(", ")),
    })
}
