//! Many executions at once, by what they have in common: cancelled, or run again.
//!
//! A request looks at one page of them, found by the indexes of lists, and is one or two transactions; whoever wants more
//! goes on from its cursor. So nothing is held up for long, and what was done before a break is done once.

use muster_core::execution::{ExecutionRequest, StartWindow, Status, derived_id};
use muster_store::{CancelResult, Cursor, ExecutionFilter, ExecutionRecord, NewExecution, Submitted};
use uuid::Uuid;

use super::supervisor::Supervisor;
use crate::api::{ManyView, SelectionRequest, ServiceError};
use crate::definitions::organization_id;
use crate::notify::sweep::notify_rows;

/// So many rows a request looks at that does something.
const PAGE: usize = 500;
/// So many rows a request looks at that only counts.
const COUNTED: usize = 5_000;
/// So many problems are told at most.
const PROBLEMS_TOLD: usize = 10;

/// Some of the executions that are meant.
struct SelectedRows {
    rows: Vec<ExecutionRecord>,
    next: Option<Cursor>,
}

impl SelectedRows {
    fn view(&self) -> ManyView {
        ManyView {
            matched: self.rows.len() as u64,
            next_cursor: self.next.map(|cursor| cursor.to_string()),
            ..ManyView::default()
        }
    }
}

/// The rest of what is asked for, which no index knows.
fn is_meant(selection: &SelectionRequest, row: &ExecutionRecord) -> bool {
    selection.queue.as_ref().is_none_or(|queue| row.queue.as_ref() == Some(queue))
}

/// The id of what runs an execution again that is meant with others: the same however often it is asked.
fn id_of_retry(id: Uuid) -> Uuid {
    derived_id(id, b"muster: run again with others")
}

impl Supervisor {
    async fn selected(
        &self,
        selection: &SelectionRequest,
        usual: &[Status],
    ) -> Result<SelectedRows, ServiceError> {
        let SelectionRequest { statuses, workflow, organization, error_type, since, until, cursor, .. } =
            selection;
        let organization_id = match organization {
            Some(called) => {
                let definitions = self.store.definitions().await?;
                Some(organization_id(&definitions, called).map_err(ServiceError::Invalid)?)
            }
            None => None,
        };
        let cursor = cursor.as_deref().map(str::parse).transpose();
        let filter = ExecutionFilter {
            statuses: if statuses.is_empty() { usual.to_vec() } else { statuses.clone() },
            workflow: workflow.clone(),
            organization_id,
            error_type: error_type.clone(),
            since: *since,
            until: *until,
            cursor: cursor
                .map_err(|error: muster_store::InvalidCursor| ServiceError::Invalid(error.to_string()))?,
            limit: if selection.dry_run { COUNTED } else { PAGE },
        };
        let page = self.store.executions(&filter).await?;
        let rows = page.executions.into_iter().filter(|row| is_meant(selection, row)).collect();
        Ok(SelectedRows { rows, next: page.next })
    }

    pub(super) async fn cancel_selected(
        &self,
        selection: &SelectionRequest,
    ) -> Result<ManyView, ServiceError> {
        refuse(selection, |status| !status.is_terminal(), "a cancel is for PENDING and RUNNING")?;
        let selected = self.selected(selection, &[Status::Pending, Status::Running]).await?;
        let mut view = selected.view();
        if selection.dry_run || selected.rows.is_empty() {
            return Ok(view);
        }
        let ids: Vec<Uuid> = selected.rows.iter().map(|row| row.id).collect();
        let mut over = Vec::new();
        for (id, answer) in self.store.request_cancels(&ids).await? {
            match answer {
                CancelResult::Cancelled | CancelResult::Tombstone => over.push(id),
                CancelResult::Requested { .. } => view.asked += 1,
                CancelResult::AlreadyTerminal(_) => continue,
            }
            self.tell_owner(id, answer, None).await;
        }
        view.done = over.len() as u64;
        view.unchanged = view.matched - view.done - view.asked;
        if !over.is_empty() {
            notify_rows(self.store.clone(), &self.core.bus, over);
        }
        Ok(view)
    }

    pub(super) async fn retry_selected(
        &self,
        selection: &SelectionRequest,
    ) -> Result<ManyView, ServiceError> {
        refuse(selection, Status::is_terminal, "a retry is for FAILED, TIMEOUT, CANCELLED and SUCCESS")?;
        let selected = self.selected(selection, &[Status::Failed, Status::Timeout]).await?;
        let mut view = selected.view();
        let ids: Vec<Uuid> = selected.rows.iter().map(|row| row.id).collect();
        if selection.dry_run {
            view.unchanged = self.retried_before(&ids).await?;
        }
        if selection.dry_run || ids.is_empty() {
            return Ok(view);
        }
        // Lists leave out what was asked for.
        let whole = self.store.executions_by_id(&ids).await?;
        let mut again = Vec::with_capacity(whole.len());
        for record in &whole {
            match self.again(record, id_of_retry(record.id)) {
                Ok(row) => again.push(row),
                Err(problem) => view.problems.push(format!("{}: {problem}", record.id)),
            }
        }
        let submitted = self.store.submit(&again).await?;
        for (row, submitted) in again.iter().zip(submitted) {
            let is_new = submitted == Submitted::Inserted;
            match self.submitted(row, submitted) {
                Ok(_) if is_new => view.done += 1,
                Ok(_) => view.unchanged += 1,
                Err(problem) => view.problems.push(format!("{}: {problem}", row.retry_of.unwrap_or(row.id))),
            }
        }
        view.problems.truncate(PROBLEMS_TOLD);
        Ok(view)
    }

    /// How many of these were run again before with others.
    async fn retried_before(&self, ids: &[Uuid]) -> Result<u64, ServiceError> {
        let mut known = 0;
        for page in ids.chunks(PAGE) {
            let again: Vec<Uuid> = page.iter().map(|id| id_of_retry(*id)).collect();
            known += self.store.executions_by_id(&again).await?.len() as u64;
        }
        Ok(known)
    }

    /// The row that runs an execution again, now, where it ran.
    pub(super) fn again(&self, record: &ExecutionRecord, new: Uuid) -> Result<NewExecution, ServiceError> {
        let request = record.request.as_ref();
        let request = request.ok_or_else(|| ServiceError::Conflict("its request was not stored".into()))?;
        let mut request = ExecutionRequest::parse(request.get().as_bytes())
            .map_err(|error| ServiceError::Conflict(format!("its request cannot be run again: {error}")))?;
        request.execution_id = new;
        request.window = StartWindow::default();
        request.queue.clone_from(&record.queue);
        // It is a second one, and wanted.
        request.idempotency_key = None;
        let row = NewExecution {
            retry_of: Some(record.id),
            ..NewExecution::of(&request, self.default_max_attempts())
        };
        Ok(row.in_queue(&self.started_with.queue).refusable())
    }
}

/// States in which nothing can be done are a mistake, and so is nothing that says which are meant.
fn refuse(selection: &SelectionRequest, fits: fn(Status) -> bool, rule: &str) -> Result<(), ServiceError> {
    if !selection.narrows() {
        let message =
            "which executions? give statuses, workflow, queue, organization, error_type, since or until";
        return Err(ServiceError::Invalid(message.to_owned()));
    }
    match selection.statuses.iter().find(|status| !fits(**status)) {
        Some(status) => Err(ServiceError::Invalid(format!("statuses: {rule}, not for {status}"))),
        None => Ok(()),
    }
}
