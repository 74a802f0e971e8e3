//! Path, query and body, with errors in our own words.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use muster_api::moment::moment;
use muster_core::execution::{IdOrPrefix, IdPrefix, InvalidId};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::guard::caller;
use super::problem::{ApiError, ErrorKind};
use super::{Api, BODY_MAX_BYTES};
use crate::access::Caller;

/// The longest `?wait=`. A client that wants more asks again.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// So much of a body that is not taken is read for the sake of who writes it, and for so long.
const LEFT_MAX_BYTES: usize = 8 * BODY_MAX_BYTES;
const LEFT_WITHIN: Duration = Duration::from_secs(20);
/// Whoever has written nothing for so long waits for the answer.
const LEFT_PIECE_WITHIN: Duration = Duration::from_millis(500);

/// The `{id}` of the path: an execution's id, or as much of it as no other begins with. Whoever is bound to an organization
/// finds executions of that one only, so whatever takes its id from here keeps to it.
pub(super) struct PathId(pub(super) Uuid);

/// How many executions are shown to whoever wrote too little of an id.
const CANDIDATES_SHOWN: usize = 10;

impl FromRequestParts<Api> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = caller(parts)?;
        let parameters = RawPathParams::from_request_parts(parts, api).await;
        let parameters = parameters.map_err(|error| ApiError::invalid(error.body_text()))?;
        let text = parameters.iter().find(|(name, _)| *name == "id").map_or("", |(_, value)| value);
        match text.parse().map_err(|error: InvalidId| ApiError::invalid(error.to_string()))? {
            IdOrPrefix::Id(id) => theirs(api, &caller, id).await.map(Self),
            IdOrPrefix::Prefix(prefix) => the_only_one(api, &caller, text, prefix).await.map(Self),
        }
    }
}

/// An id that the caller may use: for whoever is bound to an organization only that of an execution of it.
async fn theirs(api: &Api, caller: &Caller, id: Uuid) -> Result<Uuid, ApiError> {
    if caller.organization_id().is_none() {
        return Ok(id);
    }
    match api.store.execution(id).await? {
        Some(row) if caller.may_see(row.organization_id) => Ok(id),
        Some(_) => Err(ApiError::hidden_execution(id)),
        None => Err(ApiError::no_execution(id)),
    }
}

async fn the_only_one(api: &Api, caller: &Caller, text: &str, prefix: IdPrefix) -> Result<Uuid, ApiError> {
    let most = CANDIDATES_SHOWN + 1;
    let mut found = api.store.executions_with_prefix(prefix, caller.organization_id(), most).await?;
    match found.as_slice() {
        [] => return Err(ApiError::not_found(format!("no execution has an id that begins with {text}"))),
        [one] => return Ok(one.id),
        [_, ..] => {}
    }
    let more = if found.len() > CANDIDATES_SHOWN { "\n  and others before them" } else { "" };
    found.truncate(CANDIDATES_SHOWN);
    let candidates: String = found
        .iter()
        .map(|row| {
            format!(
                "\n  {}  {:9}  {}",
                row.id,
                row.status.as_str(),
                row.workflow_name.as_deref().unwrap_or_default()
            )
        })
        .collect();
    let detail =
        format!("{text} is the beginning of several ids: write more of the one you mean{candidates}{more}");
    Err(ApiError::invalid(detail))
}

/// The parameters of the query, each taken by its name; what is left over is an error.
pub(super) struct QueryParameters(BTreeMap<String, Vec<String>>);

impl<S: Send + Sync> FromRequestParts<S> for QueryParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        let mut values = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()).into_owned() {
            values.entry(name).or_default().push(value);
        }
        Ok(Self(values))
    }
}

impl QueryParameters {
    /// The parameter `name`, if it is there and not empty.
    pub(super) fn take<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, ApiError>
    where
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.once(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        parsed(name, &text).map(Some)
    }

    /// All that is said of the parameter `name`, which may be there several times.
    pub(super) fn take_all<T: FromStr>(&mut self, name: &str) -> Result<Vec<T>, ApiError>
    where
        T::Err: std::fmt::Display,
    {
        let texts = self.0.remove(name).unwrap_or_default();
        texts.iter().filter(|text| !text.is_empty()).map(|text| parsed(name, text)).collect()
    }

    /// The text of a parameter that makes sense once only.
    fn once(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let mut texts = self.0.remove(name).unwrap_or_default();
        if texts.len() > 1 {
            return Err(ApiError::invalid(format!(
                "parameter {name}: is there {} times; give it once",
                texts.len()
            )));
        }
        Ok(texts.pop())
    }

    /// A moment. The `+` of its offset is a space to whoever reads a query, and nobody thinks of it.
    pub(super) fn moment(&mut self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(mut text) = self.take::<String>(name)? else { return Ok(None) };
        if let Some(place) = text.rfind(' ').filter(|place| text.len() - place == "+00:00".len()) {
            text.replace_range(place..=place, "+");
        }
        moment(&text).map(Some).map_err(|error| ApiError::invalid(format!("parameter {name}: {error}")))
    }

    /// `?wait=SECONDS`.
    pub(super) fn wait(&mut self) -> Result<Option<Duration>, ApiError> {
        let Some(text) = self.take::<String>("wait")? else { return Ok(None) };
        let wait =
            text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(
                || {
                    ApiError::invalid(format!(
                        "parameter wait: must be a number of seconds from 0 on, not {text:?}"
                    ))
                },
            )?;
        Ok(Some(wait.min(WAIT_MAX)))
    }

    /// A switch: `?follow`, `?follow=true` or `?follow=1`.
    pub(super) fn switch(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.once(name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => {
                Err(ApiError::invalid(format!("parameter {name}: must be true or false, not {other:?}")))
            }
        }
    }

    /// A parameter nobody took is a mistake worth telling.
    pub(super) fn end(self) -> Result<(), ApiError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::invalid(format!("there is no parameter {name} here"))),
        }
    }
}

fn parsed<T: FromStr>(name: &str, text: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| ApiError::invalid(format!("parameter {name}: {error}")))
}

/// The bytes of the body.
pub(super) struct RequestBody(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for RequestBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let too_large =
            || ApiError::new(ErrorKind::TooLarge, format!("a body has at most {BODY_MAX_BYTES} bytes"));
        // What says how large it is need not be read to know that it is not taken.
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if length
            .and_then(|length| length.parse::<u64>().ok())
            .is_some_and(|length| length > BODY_MAX_BYTES as u64)
        {
            if !request.headers().contains_key(header::EXPECT) {
                let _ = tokio::time::timeout(LEFT_WITHIN, read_away(request.into_body())).await;
            }
            return Err(too_large());
        }
        let bytes: Result<Bytes, BytesRejection> = Bytes::from_request(request, state).await;
        bytes.map(Self).map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => ApiError::invalid(format!("the body cannot be taken: {}", error.body_text())),
        })
    }
}

/// Reads what is not taken: a client that only reads when it has written would find a closed connection in place of the
/// answer. One that asked whether it may write has not begun to.
async fn read_away(body: Body) {
    let (mut pieces, mut left) = (body.into_data_stream(), LEFT_MAX_BYTES);
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(LEFT_PIECE_WITHIN, pieces.next()).await {
        let Some(less) = left.checked_sub(piece.len()) else { return };
        left = less;
    }
}

impl RequestBody {
    /// The JSON of the body; an empty body counts as `{}`.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let bytes: &[u8] = if self.0.trim_ascii().is_empty() { b"{}" } else { &self.0 };
        serde_json::from_slice(bytes)
            .map_err(|error| ApiError::invalid(format!("the body is not right: {error}")))
    }
}
