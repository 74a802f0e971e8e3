//! What an adapter must be able to do about pauses inside one transaction.

use std::future::Future;

use uuid::Uuid;

use super::{PauseRecord, PauseSubject, PauseTarget};
use crate::definitions::DefinitionChange;
use crate::limits::HeldLimit;
use crate::limits::admission::WaitsFor;
use crate::{Cursor, Result};

/// What pauses may be about in a row.
#[derive(Clone, Debug)]
pub(crate) struct SubjectRow {
    pub(crate) id: Uuid,
    pub(crate) queue: Option<String>,
    pub(crate) workflow_name: Option<String>,
    pub(crate) workflow_id: Option<Uuid>,
    pub(crate) organization_id: Option<Uuid>,
}

impl SubjectRow {
    pub(crate) fn subject(&self) -> PauseSubject<'_> {
        PauseSubject {
            queue: self.queue.as_deref(),
            workflow_name: self.workflow_name.as_deref(),
            workflow_id: self.workflow_id,
            organization_id: self.organization_id,
        }
    }
}

/// A change of a pause or of what is defined, as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotedChange<'a> {
    pub(crate) who: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) name: &'a str,
    /// The organization it belongs to, by its key.
    pub(crate) organization: Option<&'a str>,
    pub(crate) before: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
}

impl<'a> NotedChange<'a> {
    /// What somebody changed of what is defined.
    pub(crate) fn of(who: &'a str, change: &'a DefinitionChange) -> Self {
        Self {
            who,
            kind: change.kind,
            name: &change.name,
            organization: change.organization.as_deref(),
            before: change.before.as_deref(),
            after: change.after.as_deref(),
        }
    }
}

/// The part of a transaction that is about pauses. Methods take no empty lists.
pub(crate) trait PauseSession: Send {
    /// All pauses.
    fn all_pauses(&mut self) -> impl Future<Output = Result<Vec<PauseRecord>>> + Send;

    /// Pauses this, or says anew who did and why.
    fn put_pause(
        &mut self,
        target: &PauseTarget,
        who: &str,
        why: Option<&str>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Forgets a pause.
    fn remove_pause(&mut self, target: &PauseTarget) -> impl Future<Output = Result<()>> + Send;

    /// Notes who changed what.
    fn note_change(&mut self, change: &NotedChange<'_>) -> impl Future<Output = Result<()>> + Send;

    /// What pauses may be about in these rows.
    fn subjects(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<Vec<SubjectRow>>> + Send;

    /// Makes rows wait that this transaction has locked and whose supervisor is lost.
    fn set_down(&mut self, rows: &[(Uuid, Option<WaitsFor>)]) -> impl Future<Output = Result<()>> + Send;

    /// So many rows of this that wait, behind a place in the order in which they were made. For what parks.
    fn waiting_rows_of(
        &mut self,
        target: &PauseTarget,
        behind: Cursor,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Cursor>>> + Send;

    /// Takes those of these rows out of the claim that wait for no other pause, also those that wait for a limit; passes
    /// by what is locked. Gives the limits of each.
    fn park_for_pause(
        &mut self,
        ids: &[Uuid],
        waits_for: &WaitsFor,
    ) -> impl Future<Output = Result<Vec<Vec<HeldLimit>>>> + Send;

    /// Gives up to so many rows back to the claim that wait for this, in their order; gives how many.
    fn unpark(&mut self, waits_for: &WaitsFor, most: usize) -> impl Future<Output = Result<usize>> + Send;
}
