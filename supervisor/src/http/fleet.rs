//! The fleet, and the verdict on it.

use axum::Json;
use axum::extract::State;

use super::Api;
use super::problem::ApiError;
use crate::api::{FleetView, ReportView};

/// `GET /api/fleet`
pub(super) async fn show(State(api): State<Api>) -> Result<Json<FleetView>, ApiError> {
    Ok(Json(api.service.fleet().await?))
}

/// `GET /api/report`
pub(super) async fn report(State(api): State<Api>) -> Result<Json<ReportView>, ApiError> {
    Ok(Json(api.service.report().await?))
}
