//! What is paused: nothing of it starts, what runs goes on, and everything is accepted.
//!
//! A supervisor knows all pauses and asks [`Pauses`], which is pure. A queue that is paused is left out of the queues it
//! claims from, and with everything paused it claims nothing: no row is touched. What is paused of a workflow or an
//! organization stands between others, so a claim that meets it takes it out of the claim, as it does with what waits for
//! a limit, and what waits already is taken out ahead of it. What is done about rows is in `flow`.

mod book;
mod session;
mod store;
mod target;

pub(crate) use book::PauseBook;
pub(crate) use session::{NotedChange, PauseSession, SubjectRow};
pub use store::{PauseRecord, PauseStore};
pub use target::{InvalidPauseTarget, PauseTarget};

use uuid::Uuid;

use crate::{NewExecution, ServedQueues};

/// The text before all that rows wait for which is paused, and the one after.
pub(crate) const PAUSES: (&str, &str) = ("pause:", "pause;");

/// So many things that rows wait for are read at once.
pub(crate) const REASONS_MAX: usize = 1_000;

/// All that is paused, in the order of what it is about: everything, queues, workflows, organizations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pauses(Vec<PauseRecord>);

/// What a pause may be about in one execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseSubject<'a> {
    /// The queue it waits in; `None` of what a version without queues wrote.
    pub queue: Option<&'a str>,
    /// The name of its workflow; `None` when only its id is known.
    pub workflow_name: Option<&'a str>,
    /// The row of its workflow, when it names one.
    pub workflow_id: Option<Uuid>,
    /// The organization it runs for.
    pub organization_id: Option<Uuid>,
}

impl<'a> PauseSubject<'a> {
    pub(crate) fn of(new: &'a NewExecution) -> Self {
        Self {
            queue: new.queue.as_deref(),
            workflow_name: new.workflow_name.as_deref(),
            workflow_id: new.workflow_id,
            organization_id: new.organization_id,
        }
    }
}

impl Pauses {
    pub(crate) fn of(mut records: Vec<PauseRecord>) -> Self {
        records.sort_by(|one, other| one.target.cmp(&other.target));
        Self(records)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &PauseRecord> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True while this is paused.
    pub(crate) fn holds(&self, target: &PauseTarget) -> bool {
        self.iter().any(|pause| pause.target == *target)
    }

    /// All that keep this from starting.
    pub fn keeping(&self, subject: PauseSubject<'_>) -> impl Iterator<Item = &PauseRecord> {
        self.iter().filter(move |pause| pause.is_about(subject))
    }

    /// The pause for which a row of this stands outside of the claim.
    pub(crate) fn parking(&self, subject: PauseSubject<'_>) -> Option<&PauseTarget> {
        self.keeping(subject).map(|pause| &pause.target).find(|target| target.parks())
    }

    /// True when rows may have to stand outside of the claim.
    pub(crate) fn parks(&self) -> bool {
        self.iter().any(|pause| pause.target.parks())
    }

    /// Which of these queues may be claimed from; `None` when nothing may.
    pub(crate) fn open_queues(&self, served: &ServedQueues) -> Option<ServedQueues> {
        if self.holds(&PauseTarget::All) {
            return None;
        }
        let is_paused = |queue: &str| {
            self.iter().any(|pause| matches!(&pause.target, PauseTarget::Queue(name) if name == queue))
        };
        // Asked by every claim: as long as none is paused the list is shared, not made anew.
        if served.names().iter().any(|queue| is_paused(queue)) {
            return Some(served.only(|queue| !is_paused(queue)));
        }
        Some(served.clone())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn pause(target: &str) -> PauseRecord {
        PauseRecord {
            target: target.parse().unwrap(),
            who: "anna".to_owned(),
            why: None,
            since: Timestamp::UNIX_EPOCH,
            workflow_ids: Vec::new(),
            organization_key: None,
        }
    }

    fn kept_by(pauses: &Pauses, subject: PauseSubject<'_>) -> Vec<String> {
        pauses.keeping(subject).map(|pause| pause.target.to_string()).collect()
    }

    #[test]
    fn a_pause_keeps_what_it_is_about_and_nothing_else() {
        let acme = Uuid::from_u128(7);
        let about_id = PauseRecord { workflow_ids: vec![Uuid::from_u128(8)], ..pause("workflow:report") };
        let pauses = Pauses::of(vec![pause(&format!("organization:{acme}")), about_id, pause("queue:slow")]);
        let other =
            PauseSubject { queue: Some("fast"), workflow_name: Some("sync"), ..PauseSubject::default() };
        assert!(kept_by(&pauses, other).is_empty());
        assert_eq!(kept_by(&pauses, PauseSubject { queue: Some("slow"), ..other }), ["queue:slow"]);
        let report = PauseSubject { workflow_name: Some("report"), ..other };
        assert_eq!(pauses.parking(report), Some(&"workflow:report".parse().unwrap()));
        let by_id = PauseSubject { workflow_name: None, workflow_id: Some(Uuid::from_u128(8)), ..other };
        assert_eq!(kept_by(&pauses, by_id), ["workflow:report"], "a message may name it by its id alone");
        let both = PauseSubject { queue: Some("slow"), organization_id: Some(acme), ..report };
        assert_eq!(kept_by(&pauses, both).len(), 3);
        assert_eq!(
            pauses.parking(PauseSubject { queue: Some("slow"), ..other }),
            None,
            "queues touch no row"
        );
    }

    #[test]
    fn a_paused_queue_is_not_claimed_from_and_what_has_none_is() {
        let served = ServedQueues::of(["fast", "slow"]);
        let open = Pauses::of(vec![pause("queue:slow"), pause("workflow:w")]).open_queues(&served).unwrap();
        assert_eq!(open, ServedQueues::of(["fast"]));
        assert!(open.holds(None));
        assert_eq!(Pauses::of(vec![pause("all")]).open_queues(&served), None);
        assert_eq!(Pauses::default().open_queues(&served), Some(served));
    }
}
