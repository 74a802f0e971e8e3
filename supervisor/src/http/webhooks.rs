//! Webhooks: who is told, what they were told, and telling it again.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

use super::Api;
use super::audit::noting;
use super::definitions::{Requester, change, only};
use super::problem::ApiError;
use super::query::{QueryParameters, RequestBody};
use crate::api::{DeliveriesView, DeliveryWord, WebhookDefinition, WebhooksView, delivery_state};
use crate::definitions::{DefinitionEdit, delivery_view, webhooks};

/// How many deliveries are shown when nobody says, and at most.
const SHOWN_DEFAULT: usize = 50;
const SHOWN_MAX: usize = 1_000;

/// `GET /api/webhooks`
pub(super) async fn list(State(api): State<Api>) -> Result<Json<WebhooksView>, ApiError> {
    let webhooks = webhooks(&api.store.definitions().await?);
    Ok(Json(WebhooksView { webhooks }))
}

/// `GET /api/webhooks/{key}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<WebhookDefinition>, ApiError> {
    let all = webhooks(&api.store.definitions().await?);
    only("webhook", &name, all, |one: &WebhookDefinition| one.name == name, |one| &one.name).map(Json)
}

/// `PUT /api/webhooks/{key}`
pub(super) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    requester: Requester,
    query: QueryParameters,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let wanted: WebhookDefinition = body.definition()?;
    change(&api, requester, query, DefinitionEdit::SetWebhook(WebhookDefinition { name, ..wanted })).await
}

/// `DELETE /api/webhooks/{key}`
pub(super) async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    requester: Requester,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    change(&api, requester, query, DefinitionEdit::RemoveWebhook { name }).await
}

/// `GET /api/deliveries`
pub(super) async fn deliveries(
    State(api): State<Api>,
    mut query: QueryParameters,
) -> Result<Json<DeliveriesView>, ApiError> {
    let webhook: Option<String> = query.take("webhook")?;
    let state: Option<DeliveryWord> = query.take("state")?;
    let limit = query.take("limit")?.unwrap_or(SHOWN_DEFAULT).clamp(1, SHOWN_MAX);
    query.end()?;
    let found = api.store.deliveries(webhook.as_deref(), state.map(delivery_state), limit).await?;
    Ok(Json(DeliveriesView { deliveries: found.into_iter().map(delivery_view).collect() }))
}

/// `POST /api/webhooks/{key}/deliveries/{execution_id}/retry`
pub(super) async fn retry(
    State(api): State<Api>,
    Path((name, execution_id)): Path<(String, Uuid)>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    query.end()?;
    let again = api.store.retry_delivery(&name, execution_id).await?.ok_or_else(|| {
        let detail = format!("the webhook {name:?} has nothing to tell of execution {execution_id}");
        ApiError::not_found(detail)
    })?;
    let view = DeliveriesView { deliveries: vec![delivery_view(again)] };
    Ok(noting(Json(view).into_response(), format!("delivery of {execution_id} to {name} anew")))
}
