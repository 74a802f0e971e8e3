//! What happens to an execution that comes to a full limit, where it does not simply wait: decided by numbers alone.
//!
//! Such a limit counts whoever is let in, from the moment the row is written to its outcome, whether it runs or not.

use std::collections::BTreeMap;
use std::fmt;

use muster_core::limit::{LimitTerms, OnFull};
use uuid::Uuid;

use super::HeldLimit;

/// Somebody who was let in to a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entrant {
    pub(crate) id: Uuid,
    pub(crate) held: HeldLimit,
    /// It runs; else it waits.
    pub(crate) runs: bool,
    /// It was asked to end.
    pub(crate) is_asked: bool,
    /// Whose it is.
    pub(crate) organization_id: Option<Uuid>,
}

/// Somebody who comes to limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newcomer {
    pub(crate) id: Uuid,
    /// Whose it is.
    pub(crate) organization_id: Option<Uuid>,
}

/// An execution that is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FullLimit {
    /// The limit.
    pub(crate) name: String,
    /// Who is in it: one that runs, if any does. `None`: it lets nobody in.
    pub(crate) holder: Option<Uuid>,
    /// Whoever is in it is not of the organization that this one is of.
    pub(crate) is_held_by_others: bool,
}

/// An execution that made room for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Displacement {
    pub(crate) id: Uuid,
    /// Whose it is.
    pub(crate) organization_id: Option<Uuid>,
    /// For whom.
    pub(crate) by: Newcomer,
    /// Where.
    pub(crate) held: HeldLimit,
    /// Also when it runs by then: it is asked to end.
    pub(crate) may_run: bool,
}

impl Entrant {
    /// One that was let in just now.
    fn waiting(new: Newcomer, held: &HeldLimit) -> Self {
        let Newcomer { id, organization_id } = new;
        Self { id, held: held.clone(), runs: false, is_asked: false, organization_id }
    }

    fn as_newcomer(&self) -> Newcomer {
        Newcomer { id: self.id, organization_id: self.organization_id }
    }

    fn displaced(&self, by: Newcomer, scope: &EntryScope, may_run: bool) -> Displacement {
        let (id, organization_id, held) = (self.id, self.organization_id, scope.held.clone());
        Displacement { id, organization_id, by, held, may_run }
    }
}

impl fmt::Display for FullLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.holder {
            Some(_) if self.is_held_by_others => {
                write!(
                    f,
                    "limit {:?} is full: an execution that is not of this organization is in it",
                    self.name
                )
            }
            Some(holder) => write!(f, "limit {:?} is full: execution {holder} is in it", self.name),
            None => write!(f, "limit {:?} is full: it lets nobody in", self.name),
        }
    }
}

impl fmt::Display for Displacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the row of one organization says names no execution of another.
        if self.by.organization_id == self.organization_id {
            write!(f, "execution {} came to limit {:?} after it", self.by.id, self.held.name)
        } else {
            write!(
                f,
                "an execution that is not of this organization came to limit {:?} after it",
                self.held.name
            )
        }
    }
}

/// Who is in the limits that do not let wait, for whoever lets in others.
#[derive(Debug, Default)]
pub(crate) struct LimitEntry {
    terms: BTreeMap<String, LimitTerms>,
    /// The oldest first.
    entrants: Vec<Entrant>,
    /// They waited, and are to be cancelled.
    pub(crate) superseded: Vec<Displacement>,
    /// They run, and are to be asked to end.
    pub(crate) asked: Vec<Displacement>,
}

impl LimitEntry {
    pub(crate) fn of(terms: BTreeMap<String, LimitTerms>, entrants: Vec<Entrant>) -> Self {
        Self { terms, entrants, ..Self::default() }
    }

    /// Lets one in and moves others out of its way, or says which limit it cannot be let in to.
    pub(crate) fn enter(&mut self, new: Newcomer, limits: &[HeldLimit]) -> Result<(), FullLimit> {
        let scopes: Vec<(OnFull, EntryScope)> = limits.iter().flat_map(|held| self.scopes(held)).collect();
        for (_, scope) in scopes.iter().filter(|(on_full, _)| *on_full == OnFull::Reject) {
            let inside: Vec<&Entrant> = self.entrants.iter().filter(|one| scope.holds(one)).collect();
            if inside.len() >= scope.most {
                let holder = inside.iter().find(|one| one.runs).or(inside.first());
                return Err(FullLimit {
                    name: scope.held.name.clone(),
                    is_held_by_others: holder.is_some_and(|one| one.organization_id != new.organization_id),
                    holder: holder.map(|one| one.id),
                });
            }
        }
        for (on_full, scope) in &scopes {
            match on_full {
                OnFull::Wait | OnFull::Reject => {}
                OnFull::Replace => self.replace(new, scope),
                OnFull::CancelRunning => self.cancel_running(new, scope),
            }
        }
        let entered = |held: &HeldLimit| Entrant::waiting(new, held);
        let entered: Vec<Entrant> = limits.iter().filter(|held| self.counts(held)).map(entered).collect();
        self.entrants.extend(entered);
        Ok(())
    }

    /// Whether a limit counts those that are let in.
    pub(crate) fn counts(&self, held: &HeldLimit) -> bool {
        self.terms.get(&held.name).is_some_and(|terms| terms.on_full != OnFull::Wait)
    }

    /// Whether somebody asked it to end before.
    pub(crate) fn was_asked(&self, id: Uuid) -> bool {
        self.entrants.iter().any(|one| one.id == id && one.is_asked)
    }

    /// All that make room.
    pub(crate) fn into_displaced(self) -> Vec<Displacement> {
        self.superseded.into_iter().chain(self.asked).collect()
    }

    fn scopes(&self, held: &HeldLimit) -> Vec<(OnFull, EntryScope)> {
        let Some(terms) = self.terms.get(&held.name) else { return Vec::new() };
        let scope = |most: u32, of_key| {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            (terms.on_full, EntryScope { held: held.clone(), of_key, most })
        };
        let per_key = terms.per_key.map(|most| scope(most, true));
        per_key.into_iter().chain(terms.total.map(|most| scope(most, false))).collect()
    }

    /// At most one more waits than may run, and it is the newest.
    fn replace(&mut self, by: Newcomer, scope: &EntryScope) {
        let inside = || self.entrants.iter().filter(|one| one.id != by.id && scope.holds(one));
        let running = inside().filter(|one| one.runs).count();
        let too_many = (inside().count() + 1).saturating_sub(scope.most.max(running + 1));
        let oldest: Vec<Entrant> = inside().filter(|one| !one.runs).take(too_many).cloned().collect();
        oldest.iter().for_each(|one| self.supersede(one, by, scope, false));
    }

    /// Decides once more where one that was to make room started instead: others that wait may be too many beside it.
    pub(crate) fn replace_again(&mut self, held: &HeldLimit) {
        for (on_full, scope) in self.scopes(held) {
            let mut waiting = self.entrants.iter().filter(|one| !one.runs && scope.holds(one));
            if let (OnFull::Replace, Some(newest)) = (on_full, waiting.next_back().map(Entrant::as_newcomer))
            {
                self.replace(newest, &scope);
            }
        }
    }

    /// Who was asked to end counts no more: it is on its way.
    fn cancel_running(&mut self, by: Newcomer, scope: &EntryScope) {
        let inside = || self.entrants.iter().filter(|one| scope.holds(one) && !one.is_asked);
        let too_many = (inside().count() + 1).saturating_sub(scope.most);
        let in_turn = inside().filter(|one| !one.runs).chain(inside().filter(|one| one.runs));
        let in_turn: Vec<Entrant> = in_turn.take(too_many).cloned().collect();
        for older in &in_turn {
            if !older.runs {
                // A claim may have it in its hands, and then it is asked to end.
                self.supersede(older, by, scope, true);
                continue;
            }
            self.entrants.iter_mut().filter(|one| one.id == older.id).for_each(|one| one.is_asked = true);
            self.asked.push(older.displaced(by, scope, true));
        }
    }

    fn supersede(&mut self, older: &Entrant, by: Newcomer, scope: &EntryScope, may_run: bool) {
        self.entrants.retain(|one| one.id != older.id);
        self.superseded.push(older.displaced(by, scope, may_run));
    }
}

/// Those whom a number of a limit counts.
#[derive(Clone, Debug)]
struct EntryScope {
    held: HeldLimit,
    /// Only those of the key.
    of_key: bool,
    most: usize,
}

impl EntryScope {
    fn holds(&self, one: &Entrant) -> bool {
        one.held.name == self.held.name && (!self.of_key || one.held.key == self.held.key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held(key: &str) -> HeldLimit {
        HeldLimit { name: "crm".to_owned(), key: key.to_owned() }
    }

    fn entry(on_full: OnFull, most: (Option<u32>, Option<u32>), inside: &[(u128, &str, bool)]) -> LimitEntry {
        let terms = LimitTerms { total: most.0, per_key: most.1, on_full, ..LimitTerms::default() };
        let entrant = |(id, key, runs): &(u128, &str, bool)| Entrant {
            id: Uuid::from_u128(*id),
            held: held(key),
            runs: *runs,
            is_asked: false,
            organization_id: Some(Uuid::from_u128(100)),
        };
        let terms = BTreeMap::from([("crm".to_owned(), terms)]);
        LimitEntry::of(terms, inside.iter().map(entrant).collect())
    }

    fn new(id: u128) -> Newcomer {
        Newcomer { id: Uuid::from_u128(id), organization_id: Some(Uuid::from_u128(100)) }
    }

    fn ids(displaced: &[Displacement]) -> Vec<u128> {
        displaced.iter().map(|one| one.id.as_u128()).collect()
    }

    #[test]
    fn whoever_comes_to_a_full_limit_is_told_who_runs() {
        let mut limit =
            entry(OnFull::Reject, (None, Some(2)), &[(1, "a", false), (2, "a", true), (3, "b", true)]);
        let full = limit.enter(new(9), &[held("a")]).unwrap_err();
        let holder = Some(Uuid::from_u128(2));
        assert_eq!(full, FullLimit { name: "crm".to_owned(), holder, is_held_by_others: false });
        limit.enter(new(9), &[held("b")]).unwrap();
        assert!(limit.enter(new(10), &[held("b")]).is_err(), "those of the same group count too");
    }

    #[test]
    fn the_newest_takes_the_place_of_one_that_waits_and_never_of_one_that_runs() {
        let mut limit = entry(OnFull::Replace, (Some(1), None), &[(1, "", true)]);
        limit.enter(new(7), &[held("")]).unwrap();
        assert!(limit.superseded.is_empty(), "one may wait");
        limit.enter(new(8), &[held("")]).unwrap();
        limit.enter(new(9), &[held("")]).unwrap();
        assert_eq!((ids(&limit.superseded), ids(&limit.asked)), (vec![7, 8], vec![]));
    }

    #[test]
    fn nobody_is_told_of_an_execution_of_another_organization() {
        let other = Newcomer { organization_id: None, ..new(9) };
        let mut limit = entry(OnFull::Reject, (Some(1), None), &[(1, "a", true)]);
        let full = limit.enter(other, &[held("a")]).unwrap_err();
        assert_eq!(
            full.to_string(),
            "limit \"crm\" is full: an execution that is not of this organization is in it"
        );
        for on_full in [OnFull::Replace, OnFull::CancelRunning] {
            let mut limit = entry(on_full, (Some(1), None), &[(1, "a", true), (2, "a", false)]);
            limit.enter(new(8), &[held("a")]).unwrap();
            limit.enter(other, &[held("a")]).unwrap();
            let said: Vec<String> = limit.superseded.iter().map(ToString::to_string).collect();
            let own = format!("execution {} came to limit \"crm\" after it", Uuid::from_u128(8));
            let foreign = "an execution that is not of this organization came to limit \"crm\" after it";
            assert_eq!(said, [own.as_str(), foreign], "{on_full:?}");
        }
    }

    #[test]
    fn what_started_instead_of_making_room_counts_when_it_is_decided_again() {
        let inside = [(1, "", true), (2, "", true), (3, "", false), (4, "", false)];
        let mut limit = entry(OnFull::Replace, (Some(2), None), &inside);
        limit.replace_again(&held(""));
        assert_eq!((ids(&limit.superseded), limit.superseded[0].by.id.as_u128()), (vec![3], 4));
        limit.replace_again(&held(""));
        assert_eq!(ids(&limit.superseded), [3], "the newest stays");
    }

    #[test]
    fn those_that_wait_go_before_those_that_run_and_nobody_is_asked_twice() {
        let mut limit =
            entry(OnFull::CancelRunning, (Some(2), None), &[(1, "", true), (2, "", true), (3, "", false)]);
        limit.enter(new(8), &[held("")]).unwrap();
        assert_eq!((ids(&limit.superseded), ids(&limit.asked)), (vec![3], vec![1]));
        limit.enter(new(9), &[held("")]).unwrap();
        assert_eq!((ids(&limit.superseded), ids(&limit.asked)), (vec![3, 8], vec![1]));
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_may_be(
            on_full in prop::sample::select(vec![OnFull::Reject, OnFull::Replace, OnFull::CancelRunning]),
            most in 1_u32..4,
            starts in prop::collection::vec(prop::option::of(0_usize..6), 1..40),
        ) {
            let mut limit = entry(on_full, (None, Some(most)), &[]);
            for (number, start) in starts.into_iter().enumerate() {
                match start {
                    // The oldest that waits starts, if there is room.
                    Some(0) => {
                        let running = limit.entrants.iter().filter(|one| one.runs).count();
                        if running < most as usize
                            && let Some(next) = limit.entrants.iter_mut().find(|one| !one.runs)
                        {
                            next.runs = true;
                        }
                    }
                    Some(end) if end < limit.entrants.len() => drop(limit.entrants.remove(end)),
                    Some(_) | None => drop(limit.enter(new(number as u128), &[held("")])),
                }
                let running = limit.entrants.iter().filter(|one| one.runs).count();
                let waiting = limit.entrants.len() - running;
                let most = most as usize;
                match on_full {
                    OnFull::Wait | OnFull::Reject => prop_assert!(running + waiting <= most),
                    OnFull::Replace => prop_assert!(running + waiting <= most.max(running + 1)),
                    OnFull::CancelRunning => {
                        let stays = limit.entrants.iter().filter(|one| !one.is_asked).count();
                        prop_assert!(stays <= most);
                    }
                }
            }
        }
    }
}
