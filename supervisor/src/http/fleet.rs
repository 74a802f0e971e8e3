//! The fleet: who is in it, what it did, and the verdict on it.

use axum::Json;
use axum::extract::State;

use super::Api;
use super::problem::ApiError;
use super::query::QueryParameters;
use crate::api::{FleetView, HistorySpan, HistoryView, ReportView};

/// `GET /api/fleet`
pub(super) async fn show(State(api): State<Api>) -> Result<Json<FleetView>, ApiError> {
    Ok(Json(api.service.fleet().await?))
}

/// `GET /api/report`
pub(super) async fn report(State(api): State<Api>) -> Result<Json<ReportView>, ApiError> {
    Ok(Json(api.service.report().await?))
}

/// `GET /api/history`
pub(super) async fn history(
    State(api): State<Api>,
    mut query: QueryParameters,
) -> Result<Json<HistoryView>, ApiError> {
    let span: Option<HistorySpan> = query.take("span")?;
    query.end()?;
    Ok(Json(api.service.history(span.unwrap_or_default()).await?))
}
