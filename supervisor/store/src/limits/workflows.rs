//! What is known of workflows where rows are written and claimed: their own limits, those they name, and their queues.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use muster_core::limit::{LimitKey, LimitTerms};
use uuid::Uuid;

use super::workflow_terms::{WorkflowTerms, own_limit_name};
use super::{HeldLimit, KeySource, key_of};
use crate::pauses::PauseSubject;
use crate::{NewExecution, OrganizationRecord, WorkflowRecord};

/// A workflow's name, and what its code declares.
pub(crate) type DeclaredWorkflow = (String, WorkflowTerms);

/// What workflows' own limits are to say, and who says so, by their names.
pub(crate) type WorkflowLimits = BTreeMap<String, (LimitTerms, &'static str)>;

/// Who says so of a workflow's own limit.
pub(crate) const OF_ROW: &str = "workflow";
pub(crate) const OF_CODE: &str = "code";

/// What one process knows of workflows; nothing before it was read.
#[derive(Debug, Default)]
pub(crate) struct WorkflowBook(RwLock<Option<Arc<KnownWorkflows>>>);

impl WorkflowBook {
    /// What is known; `None` before it was read.
    pub(crate) fn now(&self) -> Option<Arc<KnownWorkflows>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this, unless something later is known already.
    pub(crate) fn replace(&self, known: KnownWorkflows) {
        let mut book = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if book.as_ref().is_none_or(|before| before.version <= known.version) {
            *book = Some(Arc::new(known));
        }
    }
}

/// What is said of all workflows, as it was at one version of the definitions.
#[derive(Debug, Default)]
pub(crate) struct KnownWorkflows {
    pub(crate) version: i64,
    by_id: HashMap<Uuid, Arc<KnownWorkflow>>,
    by_name: HashMap<String, Vec<Arc<KnownWorkflow>>>,
    own: WorkflowLimits,
    says_nothing: bool,
}

/// What is said of one workflow, by its row and its code.
#[derive(Debug, Default)]
struct KnownWorkflow {
    organization_id: Option<Uuid>,
    /// The names of the limits that count where an execution names none.
    limits: Vec<String>,
    /// Its own limit, which counts in any case.
    own: Option<String>,
    queue: Option<String>,
}

impl KnownWorkflows {
    /// Of all rows, in the order of their names, and of all that code declares.
    pub(crate) fn of(
        version: i64,
        workflows: &[WorkflowRecord],
        organizations: &[OrganizationRecord],
        declared: &[DeclaredWorkflow],
    ) -> Self {
        let mut known = Self { version, ..Self::default() };
        let of_code: HashMap<&str, &WorkflowTerms> =
            declared.iter().map(|(name, terms)| (name.as_str(), terms)).collect();
        for (name, terms) in declared {
            if let Some(concurrency) = terms.concurrency.as_ref().filter(|it| it.says_something()) {
                known.own.insert(own_limit_name(name, None), (concurrency.terms(), OF_CODE));
            }
        }
        let nothing = WorkflowTerms::default();
        for row in workflows.iter().filter(|row| row.is_active) {
            let of_code = of_code.get(row.name.as_str()).copied().unwrap_or(&nothing);
            let organization = row.organization_id.map(|id| called(organizations, id));
            let own = match row.admission.concurrency.as_ref().filter(|it| it.says_something()) {
                Some(concurrency) => {
                    let name = own_limit_name(&row.name, organization.as_deref());
                    known.own.insert(name.clone(), (concurrency.terms(), OF_ROW));
                    Some(name)
                }
                None => None,
            };
            let one = KnownWorkflow::of(row.organization_id, own, &row.name, &row.admission, of_code);
            let one = Arc::new(one);
            known.by_id.insert(row.id, Arc::clone(&one));
            // Of rows with the same name the first one counts.
            let same = known.by_name.entry(row.name.clone()).or_default();
            if same.iter().all(|other| other.organization_id != row.organization_id) {
                same.push(one);
            }
        }
        for (name, of_code) in declared {
            let same = known.by_name.entry(name.clone()).or_default();
            if same.iter().all(|other| other.organization_id.is_some()) {
                same.push(Arc::new(KnownWorkflow::of(None, None, name, &nothing, of_code)));
            }
        }
        known.says_nothing = known.by_id.values().chain(known.by_name.values().flatten()).all(|one| {
            let KnownWorkflow { organization_id: _, limits, own, queue } = &**one;
            limits.is_empty() && own.is_none() && queue.is_none()
        });
        known
    }

    /// What workflows' own limits are to say.
    pub(crate) fn own(&self) -> &WorkflowLimits {
        &self.own
    }

    fn find(&self, subject: PauseSubject<'_>) -> Option<&KnownWorkflow> {
        if self.says_nothing {
            return None;
        }
        if let Some(id) = subject.workflow_id {
            return self.by_id.get(&id).map(|one| &**one);
        }
        let same = self.by_name.get(subject.workflow_name?)?;
        let of = |owner: Option<Uuid>| same.iter().find(|one| one.organization_id == owner);
        let own = subject.organization_id.and_then(|id| of(Some(id)));
        own.or_else(|| of(None)).map(|one| &**one)
    }

    /// The names of the limits of an execution that is new. One that names some has said which; its workflow's own counts
    /// all the same.
    pub(crate) fn limits_of(&self, new: &NewExecution) -> Vec<String> {
        let known = self.find(PauseSubject::of(new));
        let named = known.map(|known| known.limits.as_slice()).filter(|_| new.limits.is_empty());
        let own = known.and_then(|known| known.own.as_ref());
        new.limits.iter().chain(named.into_iter().flatten()).chain(own).cloned().collect()
    }

    /// The queue of an execution that is new, as its row is to have it.
    pub(crate) fn queue_of<'a>(&'a self, new: &'a NewExecution) -> Option<&'a str> {
        let of_workflow = || self.find(PauseSubject::of(new)).and_then(|known| known.queue.as_deref());
        let stated = new.queue.as_deref();
        if new.is_queue_default { of_workflow().or(stated) } else { stated }
    }

    /// The workflow's own limit, where a row that was written before it was set is not in it, and what it counts by.
    pub(crate) fn late_limit(
        &self,
        subject: PauseSubject<'_>,
        limits: &[HeldLimit],
    ) -> Option<(&str, &LimitKey)> {
        let own = self.find(subject)?.own.as_deref()?;
        let (terms, _) = self.own.get(own)?;
        (!limits.iter().any(|held| held.name == own)).then_some((own, &terms.key))
    }

    /// The same with its key.
    pub(crate) fn late_held(&self, source: KeySource<'_>, limits: &[HeldLimit]) -> Option<HeldLimit> {
        let subject = PauseSubject {
            queue: None,
            workflow_name: source.workflow_name,
            workflow_id: source.workflow_id,
            organization_id: source.organization_id,
        };
        let (name, key) = self.late_limit(subject, limits)?;
        Some(HeldLimit { name: name.to_owned(), key: key_of(key, source) })
    }
}

impl KnownWorkflow {
    fn of(
        organization_id: Option<Uuid>,
        own: Option<String>,
        name: &str,
        row: &WorkflowTerms,
        code: &WorkflowTerms,
    ) -> Self {
        let WorkflowTerms { concurrency, limits, queue } = row.or(code);
        let is_limited = concurrency.is_some_and(|concurrency| concurrency.says_something());
        let own = own.or_else(|| is_limited.then(|| own_limit_name(name, None)));
        Self { organization_id, limits: limits.unwrap_or_default(), own, queue }
    }
}

/// What an organization is called everywhere.
fn called(organizations: &[OrganizationRecord], id: Uuid) -> String {
    let known = organizations.iter().find(|organization| organization.id == id);
    known.and_then(|known| known.key.clone()).unwrap_or_else(|| id.to_string())
}

#[cfg(test)]
mod tests {
    use muster_core::execution::ExecutionRequest;
    use muster_core::limit::ConcurrencyTerms;

    use super::*;

    const ACME: Uuid = Uuid::from_u128(7);

    fn at_once(total: u32) -> Option<ConcurrencyTerms> {
        Some(ConcurrencyTerms { total: Some(total), ..ConcurrencyTerms::default() })
    }

    fn row(id: u128, name: &str, organization_id: Option<Uuid>, admission: WorkflowTerms) -> WorkflowRecord {
        WorkflowRecord {
            id: Uuid::from_u128(id),
            name: name.to_owned(),
            path: None,
            function_name: None,
            language: None,
            organization_id,
            timeout_seconds: None,
            max_attempts: None,
            is_active: true,
            admission,
            retry: Default::default(),
            webhook: None,
            retention: Default::default(),
        }
    }

    fn new(rest: &str) -> NewExecution {
        let json = format!(r#"{{"execution_id":"0190b8a0-0000-7000-8000-000000000001"{rest}}}"#);
        NewExecution::of(&ExecutionRequest::parse(json.as_bytes()).unwrap(), 3).in_queue("default")
    }

    fn known() -> KnownWorkflows {
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let of_row = WorkflowTerms { concurrency: at_once(2), queue: Some("fast".into()), limits: None };
        let rows = [
            row(1, "report", None, of_row),
            row(2, "report", Some(ACME), WorkflowTerms { concurrency: at_once(9), ..Default::default() }),
            row(3, "plain", None, WorkflowTerms::default()),
        ];
        let organization = OrganizationRecord {
            id: ACME,
            key: Some("acme".into()),
            name: "Acme".into(),
            weight: None,
            is_active: true,
        };
        let code =
            WorkflowTerms { concurrency: at_once(5), limits: names(&["crm"]), queue: Some("python".into()) };
        let declared = [("report".to_owned(), code.clone()), ("sync".to_owned(), code)];
        KnownWorkflows::of(1, &rows, &[organization], &declared)
    }

    #[test]
    fn the_message_comes_first_then_the_row_then_the_code() {
        let known = known();
        assert_eq!(known.limits_of(&new(r#","workflow":"report""#)), ["crm", "workflow/report"]);
        let named = new(r#","workflow":"report","limits":["mail"],"queue":"slow""#);
        assert_eq!(known.limits_of(&named), ["mail", "workflow/report"], "its own counts in any case");
        assert_eq!(known.queue_of(&named), Some("slow"));
        assert_eq!(known.queue_of(&new(r#","workflow":"report""#)), Some("fast"));
        assert_eq!(known.queue_of(&new(r#","workflow":"sync""#)), Some("python"));
        assert_eq!(known.queue_of(&new(r#","workflow":"plain""#)), Some("default"));
        assert!(known.limits_of(&new(r#","workflow":"plain""#)).is_empty());
        assert_eq!(known.own()["workflow/report"].0.total, Some(2), "the row's, not the code's");
        assert_eq!(known.own()["workflow/report"].1, OF_ROW);
        assert_eq!(known.own()["workflow/sync"].1, OF_CODE);
    }

    #[test]
    fn the_row_of_an_organization_has_a_limit_of_its_own() {
        let known = known();
        let by_name = new(&format!(r#","workflow":"report","organization_id":"{ACME}""#));
        assert_eq!(known.limits_of(&by_name), ["crm", "workflow@acme/report"]);
        let by_id = new(&format!(r#","workflow_id":"{}""#, Uuid::from_u128(2)));
        assert_eq!(known.limits_of(&by_id), ["crm", "workflow@acme/report"]);
        assert_eq!(known.own()["workflow@acme/report"].0.total, Some(9));
    }

    #[test]
    fn a_row_of_before_is_late_until_it_is_in_its_limit() {
        let (known, new) = (known(), new(r#","workflow":"report""#));
        let held = known.late_held(KeySource::of(&new), &[]).unwrap();
        assert_eq!((held.name.as_str(), held.key.as_str()), ("workflow/report", ""));
        assert_eq!(known.late_held(KeySource::of(&new), &[held]), None);
    }

    #[test]
    fn names_of_limits_hold_no_spaces_and_colons() {
        assert_eq!(own_limit_name("sync all:now", None), "workflow/sync%20all%3Anow");
        assert_eq!(own_limit_name("report", Some("acme")), "workflow@acme/report");
    }

    #[test]
    fn what_was_read_earlier_does_not_replace_what_was_read_later() {
        let book = WorkflowBook::default();
        assert!(book.now().is_none());
        book.replace(KnownWorkflows { version: 4, ..KnownWorkflows::default() });
        book.replace(KnownWorkflows { version: 3, ..KnownWorkflows::default() });
        assert_eq!(book.now().unwrap().version, 4);
    }
}
