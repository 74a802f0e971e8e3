//! What the code declares of its workflows.

use axum::Json;
use axum::extract::State;

use super::Api;
use crate::api::WorkflowsView;

/// `GET /api/workflows`
pub(super) async fn show(State(api): State<Api>) -> Json<WorkflowsView> {
    Json(api.service.workflows())
}
