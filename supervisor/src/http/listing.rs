//! The list of executions, and what narrows it.

use axum::Json;
use axum::extract::State;
use muster_core::execution::{IdOrPrefix, Status};
use muster_store::{Cursor, ExecutionFilter, ExecutionRecord};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::problem::ApiError;
use super::query::QueryParameters;
use crate::access::Caller;

/// How many rows a page has when nobody says.
const PAGE_DEFAULT: usize = 50;
/// How many it has at most.
const PAGE_MAX: usize = 1_000;
/// How many rows are looked at for a page that is narrowed by what no index knows.
const LOOKED_AT_MAX: usize = 5_000;

/// A page of rows.
#[derive(Serialize, ToSchema)]
#[schema(as = ExecutionPage)]
pub(super) struct ExecutionPageView {
    /// Newest first.
    executions: Vec<ExecutionRecord>,
    /// Where the next page begins; null after the last. A page by `queue` or `id` may have fewer than `limit` before it.
    next_cursor: Option<String>,
}

/// `GET /api/executions`
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    mut query: QueryParameters,
) -> Result<Json<ExecutionPageView>, ApiError> {
    let id: Option<IdOrPrefix> = query.take("id")?;
    let queue: Option<String> = query.take("queue")?;
    let filter = ExecutionFilter {
        statuses: query.take_all::<Status>("status")?,
        workflow: query.take("workflow")?,
        organization_id: api.narrowed(&caller, query.take("organization")?).await?,
        error_type: query.take("error_type")?,
        since: query.moment("since")?,
        until: query.moment("until")?,
        cursor: query.take("cursor")?,
        limit: query.take("limit")?.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX),
    };
    query.end()?;
    let (executions, next) = match (id, queue) {
        (Some(id), queue) => {
            let mut found = api.beginning_with(id, filter.organization_id).await?;
            found.retain(|row| is_meant(&filter, queue.as_deref(), row));
            (found, None)
        }
        (None, Some(queue)) => api.in_queue(filter, &queue).await?,
        (None, None) => {
            let page = api.store.executions(&filter).await?;
            (page.executions, page.next)
        }
    };
    Ok(Json(ExecutionPageView { executions, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

/// Whether a row that was found by its id is one of those that are asked for.
fn is_meant(filter: &ExecutionFilter, queue: Option<&str>, row: &ExecutionRecord) -> bool {
    let ExecutionFilter {
        statuses,
        workflow,
        organization_id,
        error_type,
        since,
        until,
        cursor: _,
        limit: _,
    } = filter;
    (statuses.is_empty() || statuses.contains(&row.status))
        && workflow.as_ref().is_none_or(|_| row.workflow_name == *workflow)
        && organization_id.is_none_or(|_| row.organization_id == *organization_id)
        && error_type.as_ref().is_none_or(|_| row.error_type == *error_type)
        && since.is_none_or(|since| row.created_at >= since)
        && until.is_none_or(|until| row.created_at < until)
        && queue.is_none_or(|_| row.queue.as_deref() == queue)
}

impl Api {
    /// The executions with this id, or whose ids begin so, the last id first; with a prefix, of this organization.
    async fn beginning_with(
        &self,
        id: IdOrPrefix,
        organization_id: Option<Uuid>,
    ) -> Result<Vec<ExecutionRecord>, ApiError> {
        Ok(match id {
            IdOrPrefix::Prefix(prefix) => {
                self.store.executions_with_prefix(prefix, organization_id, PAGE_MAX).await?
            }
            IdOrPrefix::Id(id) => {
                let found = self.store.execution(id).await?;
                let bare = |row| ExecutionRecord { parameters: None, result: None, error_stack: None, ..row };
                found.map(bare).into_iter().collect()
            }
        })
    }

    /// The page of those in a queue: so many rows are looked at, then the page ends and says where.
    async fn in_queue(
        &self,
        mut filter: ExecutionFilter,
        queue: &str,
    ) -> Result<(Vec<ExecutionRecord>, Option<Cursor>), ApiError> {
        let wanted = std::mem::replace(&mut filter.limit, PAGE_MAX);
        let (mut found, mut looked_at) = (Vec::new(), 0);
        loop {
            let page = self.store.executions(&filter).await?;
            looked_at += page.executions.len();
            found.extend(page.executions.into_iter().filter(|row| row.queue.as_deref() == Some(queue)));
            filter.cursor = page.next;
            if let Some(last) = found.get(wanted.saturating_sub(1)).filter(|_| found.len() > wanted) {
                let next = Cursor { created_at: last.created_at, id: last.id };
                found.truncate(wanted);
                return Ok((found, Some(next)));
            }
            if filter.cursor.is_none() || found.len() == wanted || looked_at >= LOOKED_AT_MAX {
                return Ok((found, filter.cursor));
            }
        }
    }
}
