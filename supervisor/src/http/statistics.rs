//! What the latest executions came to.

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};

use super::Api;
use super::problem::ApiError;
use super::query::QueryParameters;
use crate::access::Caller;
use crate::api::StatisticsView;

/// How far back is counted when nobody says.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// `GET /api/statistics`
pub(super) async fn statistics(
    State(api): State<Api>,
    caller: Caller,
    mut query: QueryParameters,
) -> Result<Json<StatisticsView>, ApiError> {
    let since = query.moment("since")?.unwrap_or_else(|| Timestamp::now() - DAY);
    let workflow: Option<String> = query.take("workflow")?;
    let organization_id = api.narrowed(&caller, query.take("organization")?).await?;
    query.end()?;
    let counted = api.store.statistics(since, workflow.as_deref(), organization_id).await?;
    Ok(Json(StatisticsView::of(since, counted)))
}
