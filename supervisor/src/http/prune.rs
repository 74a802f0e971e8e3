//! Forgetting executions that ended long ago.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::audit::noting;
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::api::PruneWish;

/// `POST /api/prune`
pub(super) async fn prune(
    State(api): State<Api>,
    query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    query.end()?;
    let wish: PruneWish = body.definition()?;
    let dry_run = wish.dry_run;
    let pruned = api.service.prune(wish).await?;
    let verb = if dry_run { "would remove" } else { "removed" };
    let detail = format!("{verb} {} executions that ended before {}", pruned.executions, pruned.before);
    Ok(noting(Json(pruned).into_response(), detail))
}
