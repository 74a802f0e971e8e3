//! Tokens: list, make, rotate, remove; and who the caller is.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};
use muster_core::nearest::nearest;
use muster_store::{NewToken, TokenRotation};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::Api;
use super::audit::noting;
use super::definitions::Requester;
use super::problem::{ApiError, ErrorKind};
use super::query::{QueryParameters, RequestBody};
use crate::access::{Caller, SETTING_NAME, hash_of, make_token};
use crate::api::{
    AccessView, MadeTokenView, TokenRemovedView, TokenRequest, TokenRotationRequest, TokensView, token_view,
};
use crate::definitions::{check_name, organization_key};

/// The longest time in which two secrets of a token count.
const OVERLAP_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest life of a token that has an end, in seconds: a hundred years.
const LIFE_MAX_SECONDS: f64 = 100.0 * 365.25 * 86_400.0;

/// `GET /api/access`
pub(super) async fn who(State(api): State<Api>, caller: Caller) -> Result<Json<AccessView>, ApiError> {
    let organization = match caller.organization_id() {
        Some(id) => organization_key(&api.store.definitions().await?, Some(id)),
        None => None,
    };
    Ok(Json(AccessView {
        token: caller.token_name().map(str::to_owned),
        role: caller.grant.role,
        organization,
        organization_id: caller.organization_id(),
    }))
}

/// `GET /api/tokens`
pub(super) async fn list(
    State(api): State<Api>,
    query: QueryParameters,
) -> Result<Json<TokensView>, ApiError> {
    query.end()?;
    let tokens = api.store.tokens().await?;
    Ok(Json(TokensView { tokens: tokens.iter().map(token_view).collect() }))
}

/// `POST /api/tokens`
pub(super) async fn create(
    State(api): State<Api>,
    Requester { who, caller }: Requester,
    query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    query.end()?;
    let TokenRequest { name, role, organization, expires_at, expires_seconds } = body.definition()?;
    check_name(&name).map_err(|problem| ApiError::invalid(format!("name: {problem}")))?;
    if name == SETTING_NAME {
        return Err(ApiError::invalid(format!("name: {name} is what the token of the settings is called")));
    }
    let organization_id = match organization {
        Some(called) => Some(api.organization_called(&caller, &called).await?),
        None => None,
    };
    let secret = make_token();
    let new = NewToken {
        id: Uuid::now_v7(),
        name,
        role,
        organization_id,
        hash: hash_of(secret.expose_secret()),
        expires_at: expiry(expires_at, expires_seconds, Timestamp::now())?,
    };
    let made = api.store.create_token(&new, &who).await?.ok_or_else(|| {
        let name = &new.name;
        let detail = format!(
            "there is a token {name} already: `supervisor token rotate {name}` gives it another secret, or choose \
             another name"
        );
        ApiError::new(ErrorKind::Conflict, detail)
    })?;
    api.learn_tokens().await;
    let token = token_view(&made);
    let detail = format!("token {} with the role {role} is made", token.name);
    let made = MadeTokenView { secret: secret.expose_secret().to_owned(), token };
    Ok(noting(Json(made).into_response(), detail))
}

/// `POST /api/tokens/{key}/rotate`
pub(super) async fn rotate(
    State(api): State<Api>,
    Path(name): Path<String>,
    Requester { who, .. }: Requester,
    query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    query.end()?;
    let TokenRotationRequest { overlap_seconds, expires_at, expires_seconds } = body.definition()?;
    let overlap = overlap_seconds.map_or(Some(Duration::ZERO), |it| Duration::try_from_secs_f64(it).ok());
    let overlap = overlap.filter(|overlap| *overlap <= OVERLAP_MAX).ok_or_else(|| {
        let most = OVERLAP_MAX.as_secs();
        ApiError::invalid(format!("overlap_seconds: must be a number of seconds from 0 to {most}"))
    })?;
    let secret = make_token();
    let now = Timestamp::now();
    let rotation = TokenRotation {
        hash: hash_of(secret.expose_secret()),
        overlap,
        expires_at: expiry(expires_at, expires_seconds, now)?,
    };
    if rotation.expires_at.is_none() {
        api.check_is_not_over(&name, now).await?;
    }
    let Some(rotated) = api.store.rotate_token(&name, &rotation, &who).await? else {
        return Err(api.no_token_named(&name).await);
    };
    api.learn_tokens().await;
    let made = MadeTokenView { secret: secret.expose_secret().to_owned(), token: token_view(&rotated) };
    Ok(noting(Json(made).into_response(), format!("token {name} is rotated")))
}

/// `DELETE /api/tokens/{key}`
pub(super) async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
    Requester { who, .. }: Requester,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    query.end()?;
    if !api.store.remove_token(&name, &who).await? {
        return Err(api.no_token_named(&name).await);
    }
    api.learn_tokens().await;
    let detail = format!("token {name} is removed");
    Ok(noting(Json(TokenRemovedView { name }).into_response(), detail))
}

impl Api {
    /// Makes a change count here before it is answered. Others hear of it; should this fail, so does this one.
    async fn learn_tokens(&self) {
        if let Err(error) = self.access.tokens.learn(&*self.store).await {
            tracing::debug!(%error, "what changed of tokens was not read again; whoever follows changes does it");
        }
    }

    /// Another secret of a token that has expired would let nobody in.
    async fn check_is_not_over(&self, name: &str, now: Timestamp) -> Result<(), ApiError> {
        let tokens = self.store.tokens().await?;
        let expires_at = tokens.iter().find(|token| token.name == name).and_then(|token| token.expires_at);
        match expires_at.filter(|at| *at <= now) {
            None => Ok(()),
            Some(at) => Err(ApiError::new(
                ErrorKind::Conflict,
                format!(
                    "the token {name} has expired at {at}, and so would its new secret: say until when that counts, with \
                     `supervisor token rotate {name} --expires 90d`, or expires_seconds or expires_at in the body"
                ),
            )),
        }
    }

    async fn no_token_named(&self, name: &str) -> ApiError {
        if name == SETTING_NAME {
            return ApiError::invalid(
                "http_token is the token of the settings: set another, or remove its file from data_dir, and start \
                 the supervisor again",
            );
        }
        let known = self.store.tokens().await.unwrap_or_default();
        let meant = nearest(name, known.iter().map(|token| token.name.as_str()));
        let hint = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        ApiError::not_found(format!("there is no token {name:?}{hint}"))
    }
}

/// When a token expires, given as a moment or as so many seconds.
fn expiry(
    at: Option<Timestamp>,
    seconds: Option<f64>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ApiError> {
    let at = match (at, seconds) {
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("give either expires_at or expires_seconds"));
        }
        (at, None) => at,
        (None, Some(seconds)) if seconds > 0.0 && seconds <= LIFE_MAX_SECONDS => {
            now.checked_add(SignedDuration::from_secs_f64(seconds)).ok()
        }
        (None, Some(_)) => {
            return Err(ApiError::invalid("expires_seconds: must be a number of seconds above 0"));
        }
    };
    match at {
        Some(at) if at <= now => Err(ApiError::invalid("expires_at: must be a moment to come")),
        at => Ok(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_expires_at_a_moment_to_come_or_never() {
        let now = Timestamp::from_second(1_000).unwrap();
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        assert_eq!(expiry(None, None, now).unwrap(), None);
        assert_eq!(expiry(at(1_001), None, now).unwrap(), at(1_001));
        assert_eq!(expiry(None, Some(60.0), now).unwrap(), at(1_060));
        for (at, seconds) in [
            (at(1_000), None),
            (at(1_001), Some(1.0)),
            (None, Some(0.0)),
            (None, Some(f64::NAN)),
            (None, Some(1e300)),
        ] {
            assert!(expiry(at, seconds, now).is_err(), "{at:?} {seconds:?}");
        }
    }
}
