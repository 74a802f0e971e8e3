//! What narrows a list of executions: which statement finds the page, and between which places it lies.
//!
//! There is a statement for every combination of filters, each with an index that has exactly its rows in exactly
//! its order, but for those that run: these are few, and are found by the index of what runs. A page of any list costs
//! as much as the rows it shows, and what is written of a run while it runs costs its indexes nothing.

use jiff::Timestamp;
use muster_core::execution::Status;
use uuid::Uuid;

use crate::{Cursor, ExecutionFilter};

/// The columns by which a page is found, beside its place and its states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Nothing but the time and the state.
    Status,
    /// A workflow's name.
    Workflow,
    /// An organization.
    Organization,
    /// An organization and a workflow's name.
    OrganizationWorkflow,
    /// The type of an error.
    Error,
    /// A workflow's name and the type of an error.
    WorkflowError,
    /// An organization and the type of an error.
    OrganizationError,
    /// An organization, a workflow's name and the type of an error.
    OrganizationWorkflowError,
}

impl Listing {
    /// The list that a filter asks for.
    pub(crate) fn of(filter: &ExecutionFilter) -> Self {
        let organization = filter.organization_id.is_some();
        let workflow = filter.workflow.is_some();
        match (organization, workflow, filter.error_type.is_some()) {
            (false, false, false) => Self::Status,
            (false, true, false) => Self::Workflow,
            (true, false, false) => Self::Organization,
            (true, true, false) => Self::OrganizationWorkflow,
            (false, false, true) => Self::Error,
            (false, true, true) => Self::WorkflowError,
            (true, false, true) => Self::OrganizationError,
            (true, true, true) => Self::OrganizationWorkflowError,
        }
    }
}

/// The states that a filter lets through: a list of several is put together of one list for each.
pub(crate) fn states(filter: &ExecutionFilter) -> Vec<&'static str> {
    let asked = |status: &Status| filter.statuses.is_empty() || filter.statuses.contains(status);
    Status::ALL.into_iter().filter(asked).map(Status::as_str).collect()
}

/// Between which places a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListRange {
    /// The moment at which its oldest row may have been created.
    pub(crate) since: Timestamp,
    /// The place that all of its rows are before.
    pub(crate) before: Cursor,
}

impl ListRange {
    /// The range that a filter asks for.
    pub(crate) fn of(filter: &ExecutionFilter) -> Self {
        let earliest = Cursor::first().created_at;
        let since = filter.since.unwrap_or(earliest).max(earliest);
        // A page goes on before its cursor, and both are before the moment that is asked for.
        let until = microsecond_up(filter.until.unwrap_or(Timestamp::MAX));
        let until = Cursor { created_at: until, id: Uuid::nil() };
        let place = |cursor: &Cursor| (cursor.created_at, cursor.id);
        let before = filter.cursor.filter(|cursor| place(cursor) < place(&until)).unwrap_or(until);
        Self { since: microsecond_up(since), before }
    }
}

/// The next whole microsecond: databases keep no less, so a moment within one lies between this row and that.
fn microsecond_up(at: Timestamp) -> Timestamp {
    let micros = at.as_microsecond();
    match Timestamp::from_microsecond(micros) {
        Ok(whole) if whole < at => Timestamp::from_microsecond(micros + 1).unwrap_or(whole),
        Ok(whole) => whole,
        Err(_) => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(micros).unwrap()
    }

    #[test]
    fn a_page_ends_at_the_nearer_of_its_cursor_and_the_moment_asked_for() {
        let id = Uuid::from_u128(7);
        let cursor = |micros| Some(Cursor { created_at: at(micros), id });
        let before = |cursor, until: Option<i64>| {
            ListRange::of(&ExecutionFilter { cursor, until: until.map(at), ..ExecutionFilter::default() })
                .before
        };
        let until = |micros| Cursor { created_at: at(micros), id: Uuid::nil() };
        assert_eq!(before(cursor(5), None), Cursor { created_at: at(5), id });
        assert_eq!(before(cursor(5), Some(6)), Cursor { created_at: at(5), id });
        assert_eq!(before(cursor(5), Some(5)), until(5), "what is created at the moment is not before it");
        assert_eq!(before(None, Some(4)), until(4));
        assert!(before(None, None).created_at > at(250_000_000_000_000_000));
    }

    #[test]
    fn a_part_of_a_microsecond_is_no_row_of_before() {
        let since = |since| ListRange::of(&ExecutionFilter { since, ..ExecutionFilter::default() }).since;
        assert_eq!(since(Some(at(7))), at(7));
        assert_eq!(since(Some(Timestamp::from_nanosecond(7_001).unwrap())), at(8));
        assert_eq!(since(Some(Timestamp::from_nanosecond(-7_001).unwrap())), at(-7));
        assert_eq!(since(Some(Timestamp::MIN)), since(None));
    }
}
