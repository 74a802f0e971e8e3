//! Dead letters: looked at, put back into the queue as they are or mended, thrown away.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::audit::noting;
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::api::{DeadLetterAction, DeadLetterWish, DeadLettersView};

/// So many are listed unless somebody says otherwise, and so many at most: each is taken out of the queue and given back.
const LISTED: usize = 100;
const LISTED_MAX: usize = 1000;

/// `GET /api/dead-letters`
pub(super) async fn list(
    State(api): State<Api>,
    mut query: QueryParameters,
) -> Result<Json<DeadLettersView>, ApiError> {
    let queue: Option<String> = query.take("queue")?;
    let limit = query.take("limit")?.unwrap_or(LISTED).clamp(1, LISTED_MAX);
    query.end()?;
    Ok(Json(api.service.dead_letters(queue, limit).await?))
}

/// `POST /api/dead-letters/replay`
pub(super) async fn replay(
    State(api): State<Api>,
    query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    move_letters(&api, query, body, DeadLetterAction::replay).await
}

/// `POST /api/dead-letters/purge`
pub(super) async fn purge(
    State(api): State<Api>,
    query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    move_letters(&api, query, body, DeadLetterAction::purge).await
}

/// Does with letters what this makes of the wish.
async fn move_letters(
    api: &Api,
    query: QueryParameters,
    body: RequestBody,
    action: impl Fn(&DeadLetterWish) -> Result<DeadLetterAction, String>,
) -> Result<Response, ApiError> {
    query.end()?;
    let wish: DeadLetterWish = body.definition()?;
    let action = action(&wish).map_err(ApiError::invalid)?;
    let moved = api.service.move_dead_letters(wish.queue, action).await?;
    let detail = format!("{} dead letters replayed, {} thrown away", moved.replayed, moved.purged);
    Ok(noting(Json(moved).into_response(), detail))
}
