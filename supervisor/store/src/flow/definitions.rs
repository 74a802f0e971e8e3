//! What is defined is changed, and workflows' own limits are kept in step with it.
//!
//! Whoever changes what is said of workflows holds the count of changes until the end, so that they come one after the
//! other; the limits that follow from it are set in the same transaction. What rows are written and claimed by is a copy in
//! each process, which is read anew when the count has changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use muster_core::limit::{LimitKey, LimitTerms};
use uuid::Uuid;

use super::again;
use super::limits_admin::tend_waiters;
use crate::definitions::{DefinitionChange, DefinitionSession as _, DefinitionsWritten};
use crate::limits::session::{LimitSession as _, LockPatience};
use crate::limits::{DeclaredWorkflow, KeySource, KnownWorkflows, OF_CODE, OF_ROW, own_limit_name};
use crate::pauses::{NotedChange, PauseSession as _, PauseSubject};
use crate::session::{Backend, Candidate, Extent, Purpose, StoreSession};
use crate::{HeldLimit, LimitRecord, Result};

/// See [`crate::DefinitionEditStore::write_definitions`].
pub(crate) async fn write_definitions<B: Backend>(
    backend: &B,
    version: i64,
    who: &str,
    changes: &[DefinitionChange],
) -> Result<DefinitionsWritten> {
    again(B::PLANS_MAX, || write(backend, version, who, changes)).await
}

async fn write<B: Backend>(
    backend: &B,
    version: i64,
    who: &str,
    changes: &[DefinitionChange],
) -> Result<DefinitionsWritten> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    if session.lock_definitions().await? != version {
        session.commit().await?;
        return Ok(DefinitionsWritten::Outdated);
    }
    for change in changes {
        session.put_definition(&change.write).await?;
        session.note_change(&NotedChange::of(who, change)).await?;
    }
    let mut limits: BTreeSet<String> =
        changes.iter().filter_map(|change| change.write.limit()).map(str::to_owned).collect();
    limits.append(&mut put_own_limits(&mut session, &BTreeSet::new()).await?);
    finish(backend, session, limits).await?;
    Ok(DefinitionsWritten::Committed)
}

/// Commits what was written about workflows and these limits, and does what follows.
async fn finish<B: Backend>(backend: &B, mut session: B::Session, limits: BTreeSet<String>) -> Result<()> {
    if !limits.is_empty() {
        // Whoever decides about them at this moment is over first.
        let names: Vec<&str> = limits.iter().map(String::as_str).collect();
        session.lock_limits(&names, LockPatience::Short).await?;
    }
    session.commit().await?;
    backend.definitions_written();
    // It is committed whatever comes now: what is not done here is done by whoever follows changes, and by the sweep.
    if let Err(error) = learn(backend).await {
        tracing::debug!(%error, "what changed of workflows was not read again; whoever follows changes does it");
    }
    for name in limits {
        if let Err(error) = tend_waiters(backend, &name).await {
            tracing::debug!(%error, name, "who waits for a limit that changed was not let go; the next sweep does it");
        }
    }
    Ok(())
}

/// Sets workflows' own limits to what rows and code say, and removes those of rows that say nothing any more, and of code
/// among `gone`. Gives those that changed.
async fn put_own_limits<S: StoreSession>(
    session: &mut S,
    gone: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let known = read(session).await?;
    let found = session.all_limits().await?;
    let by_name = by_name(&found);
    let mut changed = BTreeSet::new();
    for (name, (terms, origin)) in known.own() {
        if !is_so(&by_name, name, terms, origin) {
            session.set_limit(name, terms, origin).await?;
            changed.insert(name.clone());
        }
    }
    // What a supervisor of an earlier version declared stays: nobody else knows of it.
    let is_over = |limit: &&LimitRecord| {
        let is_of_nobody = limit.origin == OF_ROW || (limit.origin == OF_CODE && gone.contains(&limit.name));
        is_of_nobody && !known.own().contains_key(&limit.name)
    };
    for limit in found.iter().filter(is_over) {
        session.remove_limit(&limit.name).await?;
        changed.insert(limit.name.clone());
    }
    Ok(changed)
}

fn by_name(limits: &[LimitRecord]) -> HashMap<&str, &LimitRecord> {
    limits.iter().map(|limit| (limit.name.as_str(), limit)).collect()
}

/// Whether the limit of this name says this, and this is who says so.
fn is_so(limits: &HashMap<&str, &LimitRecord>, name: &str, terms: &LimitTerms, origin: &str) -> bool {
    limits.get(name).is_some_and(|limit| limit.terms == *terms && limit.origin == origin)
}

async fn read<S: StoreSession>(session: &mut S) -> Result<KnownWorkflows> {
    // The version comes first: what changes meanwhile is read again.
    let version = session.version_of_definitions().await?;
    let workflows = session.workflows_defined().await?;
    let organizations = session.organizations_defined().await?;
    let declared = session.workflows_declared().await?;
    Ok(KnownWorkflows::of(version, &workflows, &organizations, &declared))
}

/// What is said of workflows, as far as this process knows; it is read when it was never read.
pub(super) async fn known_workflows<B: Backend>(backend: &B) -> Result<Arc<KnownWorkflows>> {
    match backend.workflow_book().now() {
        Some(known) => Ok(known),
        None => learn(backend).await,
    }
}

async fn learn<B: Backend>(backend: &B) -> Result<Arc<KnownWorkflows>> {
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let known = read(&mut session).await?;
    session.commit().await?;
    backend.workflow_book().replace(known);
    Ok(backend.workflow_book().now().unwrap_or_default())
}

/// Reads what is said of workflows if it has changed, and sets their own limits if somebody changed a row by hand.
pub(super) async fn follow<B: Backend>(backend: &B) -> Result<()> {
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let version = session.version_of_definitions().await?;
    let limits = session.all_limits().await?;
    session.commit().await?;
    let known = match backend.workflow_book().now().filter(|known| known.version == version) {
        Some(known) => known,
        None => learn(backend).await?,
    };
    let by_name = by_name(&limits);
    let is_set = known.own().iter().all(|(name, (terms, origin))| is_so(&by_name, name, terms, origin));
    let is_over = limits.iter().any(|limit| limit.origin == OF_ROW && !known.own().contains_key(&limit.name));
    if is_set && !is_over {
        return Ok(());
    }
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    // Nobody declares what has no name: it is to have the count of changes, as those have who declare.
    session.put_declared("", None).await?;
    let changed = put_own_limits(&mut session, &BTreeSet::new()).await?;
    finish(backend, session, changed).await
}

/// Writes what code declares of these workflows; what it declares nothing of is forgotten.
pub(super) async fn declare<B: Backend>(backend: &B, declared: &[DeclaredWorkflow]) -> Result<()> {
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let known = session.workflows_declared().await?;
    session.commit().await?;
    let is_known = |(name, terms): &&DeclaredWorkflow| match known.iter().find(|(known, _)| known == name) {
        Some((_, known)) => known == terms,
        None => terms.is_empty(),
    };
    let news: Vec<&DeclaredWorkflow> = declared.iter().filter(|one| !is_known(one)).collect();
    if news.is_empty() {
        return known_workflows(backend).await.map(drop);
    }
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    for (name, terms) in &news {
        // Options of text and numbers have no way to fail.
        let text = serde_json::to_string(terms).unwrap_or_default();
        session.put_declared(name, Some(text.as_str()).filter(|_| !terms.is_empty())).await?;
    }
    let gone = news.iter().filter(|(_, terms)| terms.concurrency.is_none());
    let gone = gone.map(|(name, _)| own_limit_name(name, None)).collect();
    let changed = put_own_limits(&mut session, &gone).await?;
    finish(backend, session, changed).await
}

/// Puts candidates whose rows were written before their workflow had a limit of its own into it: from then on they wait for
/// it and count in it like all others. What runs already is let be.
pub(super) async fn put_into_own_limits<S: StoreSession>(
    session: &mut S,
    known: &KnownWorkflows,
    candidates: &mut [Candidate],
) -> Result<()> {
    if known.own().is_empty() {
        return Ok(());
    }
    let mut late = Vec::new();
    let mut unread = Vec::new();
    for row in candidates.iter_mut().filter(|row| row.previous_owner.is_none()) {
        let subject = PauseSubject {
            queue: None,
            workflow_name: row.workflow_name.as_deref(),
            workflow_id: row.workflow_id,
            organization_id: row.organization_id,
        };
        match known.late_limit(subject, &row.limits) {
            None => {}
            Some((_, LimitKey::Organization | LimitKey::Workflow)) => late.push(row.attempt.execution_id),
            Some((_, LimitKey::Caller | LimitKey::Parameter(_))) => {
                late.push(row.attempt.execution_id);
                unread.push(row.attempt.execution_id);
            }
        }
    }
    if late.is_empty() {
        return Ok(());
    }
    let records = if unread.is_empty() { Vec::new() } else { session.records_of(&unread).await? };
    let mut given: Vec<(Uuid, Vec<HeldLimit>)> = Vec::with_capacity(late.len());
    for row in candidates.iter_mut().filter(|row| late.contains(&row.attempt.execution_id)) {
        let id = row.attempt.execution_id;
        let plain = KeySource {
            workflow_name: row.workflow_name.as_deref(),
            workflow_id: row.workflow_id,
            organization_id: row.organization_id,
            caller: None,
            request: None,
        };
        let source = records.iter().find(|record| record.id == id).map_or(plain, KeySource::of_record);
        if let Some(held) = known.late_held(source, &row.limits) {
            row.limits.push(held);
            row.limits.sort();
            given.push((id, row.limits.clone()));
        }
    }
    session.put_limits(&given).await
}
