//! What is seen of the other supervisors, look by look, and what follows from it.
//!
//! Looks come about every second. Times are our own, by a clock that only goes forward: how long we have watched
//! something not change, not what the database's clock or a row says.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::Attempt;
use tokio::time::Instant;
use uuid::Uuid;

use super::contact::{Answer, Contact};
use super::{Evidence, Grounds, LockEvidence, ProcessEvidence, grounds, renewal_period};
use crate::{DeadOwner, ExpiredOwners, OverdueRow};

/// So many supervisors look for overdue rows at every look, because each such question reads all that others run. All
/// others ask once in the time in which an owner renews, and at every look while some row is overdue.
const LOOK_EACH_TIME: i64 = 3;

/// What changes while an owner lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sign {
    /// How often it has beaten.
    pub(crate) beats: Option<i64>,
    /// When the last of its leases ends. Of who holds its lock nobody asks.
    pub(crate) lease_ends: Option<Timestamp>,
}

/// What an owner of RUNNING rows shows of itself, as a look finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerSeen {
    pub(crate) owner: Uuid,
    pub(crate) sign: Sign,
    pub(crate) lock: LockEvidence,
    pub(crate) process: ProcessEvidence,
    /// Its own lease, where it is known.
    pub(crate) lease: Option<Duration>,
}

impl OwnerSeen {
    /// One that shows nothing.
    fn silent(owner: Uuid) -> Self {
        let sign = Sign { beats: None, lease_ends: None };
        Self { owner, sign, lock: LockEvidence::NotShown, process: ProcessEvidence::Unknown, lease: None }
    }
}

/// What one look finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// Those that show something.
    pub(crate) owners: Vec<OwnerSeen>,
    /// Rows whose lease has run out and that nobody has locked, with their owners. `None`: this look did not ask.
    pub(crate) overdue: Option<Vec<(OverdueRow, Uuid)>>,
    pub(crate) server_up_for: Duration,
    /// How many supervisors that hold their lock come before us, in an order that all see alike.
    pub(crate) looks_before_us: i64,
}

/// What has been heard of an owner.
#[derive(Clone, Copy, Debug)]
struct OwnerNews {
    sign: Sign,
    since: Instant,
    /// Since when nobody was seen to hold its lock.
    free_since: Option<Instant>,
}

/// All that has been seen so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    contact: Contact,
    signs: HashMap<Uuid, OwnerNews>,
    overdue: HashMap<Attempt, (Timestamp, Instant)>,
    asked_for_overdue: Option<Instant>,
}

impl Watch {
    /// What a write of our own gave.
    pub(crate) fn observe(&mut self, answer: Answer, now: Instant) {
        self.contact.observe(answer, now);
    }

    /// True when our own writes work.
    pub(crate) fn writes_work(&self, now: Instant) -> bool {
        self.contact.works(now)
    }

    /// True when this look, so far, is to ask for overdue rows, too.
    pub(crate) fn overdue_is_due(&self, look: &Look, lease: Duration, now: Instant) -> bool {
        let asked_lately = self
            .asked_for_overdue
            .is_some_and(|at| now.saturating_duration_since(at) < renewal_period(lease));
        look.looks_before_us < LOOK_EACH_TIME || !self.overdue.is_empty() || !asked_lately
    }

    /// Takes in a look, and gives what may be taken over by all that has been seen up to now.
    pub(crate) fn looked(&mut self, look: &Look, lease: Duration, now: Instant) -> ExpiredOwners {
        self.remember(look, now);
        let mut lost = ExpiredOwners::default();
        for seen in &look.owners {
            let evidence = self.evidence(seen, None, look.server_up_for, lease, now);
            // Nobody is dead who holds its lock, so the leases were asked for.
            if let Some(grounds @ (Grounds::ProcessGone | Grounds::Silent)) = grounds(&evidence)
                && let Sign { beats, lease_ends: Some(lease_ends) } = seen.sign
            {
                tracing::debug!(supervisor = %seen.owner, ?grounds, "proven dead");
                lost.dead.push(DeadOwner { owner: seen.owner, beats, lease_ends });
            }
        }
        for (row, owner) in look.overdue.iter().flatten() {
            let shown = look.owners.iter().find(|seen| seen.owner == *owner);
            let seen = shown.copied().unwrap_or_else(|| OwnerSeen::silent(*owner));
            let evidence = self.evidence(&seen, Some(row.attempt), look.server_up_for, lease, now);
            if grounds(&evidence) == Some(Grounds::Overdue) {
                lost.overdue.push(*row);
            }
        }
        lost
    }

    fn remember(&mut self, look: &Look, now: Instant) {
        self.signs.retain(|owner, _| look.owners.iter().any(|seen| seen.owner == *owner));
        for seen in &look.owners {
            let unheard = OwnerNews { sign: seen.sign, since: now, free_since: None };
            let heard = self.signs.entry(seen.owner).or_insert(unheard);
            if heard.sign != seen.sign {
                (heard.sign, heard.since) = (seen.sign, now);
            }
            heard.free_since = (seen.lock == LockEvidence::Free).then(|| heard.free_since.unwrap_or(now));
        }
        // What is locked, renewed or gone at one look is seen for the first time at the next; what was seen is looked for
        // each time.
        let Some(overdue) = &look.overdue else { return };
        self.asked_for_overdue = Some(now);
        self.overdue.retain(|attempt, (ends, _)| {
            overdue.iter().any(|(row, _)| row.attempt == *attempt && row.lease_ends == *ends)
        });
        for (row, _) in overdue {
            self.overdue.entry(row.attempt).or_insert((row.lease_ends, now));
        }
    }

    fn evidence(
        &self,
        seen: &OwnerSeen,
        row: Option<Attempt>,
        server_up_for: Duration,
        lease: Duration,
        now: Instant,
    ) -> Evidence {
        let since = |at: Instant| now.saturating_duration_since(at);
        let overdue = row.and_then(|attempt| self.overdue.get(&attempt));
        let heard = self.signs.get(&seen.owner);
        let free_since = heard.and_then(|heard| heard.free_since);
        Evidence {
            process: seen.process,
            lock: seen.lock,
            free_for: free_since.map_or(Duration::ZERO, since),
            silent_for: heard.map_or(Duration::ZERO, |heard| since(heard.since)),
            overdue_for: overdue.map(|(_, at)| since(*at)),
            writes_for: self.contact.duration(now),
            server_up_for,
            lease: lease.max(seen.lease.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);
    const WROTE: Answer = Answer::Wrote { waited: Duration::ZERO };
    const OWNER: Uuid = Uuid::from_u128(7);

    fn row(lease_ends: i64) -> OverdueRow {
        let lease_ends = Timestamp::from_second(lease_ends).unwrap();
        OverdueRow { attempt: Attempt::new(Uuid::from_u128(1), 1), lease_ends }
    }

    fn look(beats: i64, lock: LockEvidence, overdue: Option<OverdueRow>) -> Look {
        let sign = Sign { beats: Some(beats), lease_ends: Some(Timestamp::UNIX_EPOCH) };
        let owner =
            OwnerSeen { owner: OWNER, sign, lock, process: ProcessEvidence::Unknown, lease: Some(LEASE) };
        Look {
            owners: vec![owner],
            overdue: Some(overdue.into_iter().map(|row| (row, OWNER)).collect()),
            server_up_for: Duration::from_secs(1000),
            looks_before_us: 0,
        }
    }

    /// A look each second; gives what each allowed.
    fn looks(given: impl IntoIterator<Item = (Answer, Look)>) -> Vec<(usize, usize)> {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let each = given.into_iter().enumerate().map(|(second, (answer, look))| {
            let now = start + Duration::from_secs(second as u64);
            watch.observe(answer, now);
            let lost = watch.looked(&look, LEASE, now);
            (lost.dead.len(), lost.overdue.len())
        });
        each.collect()
    }

    #[test]
    fn rule_12_a_row_that_was_locked_or_renewed_between_two_looks_is_seen_anew() {
        let at = |ends| (WROTE, look(0, LockEvidence::Held, Some(row(ends))));
        let locked = (WROTE, look(0, LockEvidence::Held, None));
        assert_eq!(looks([at(1), at(1), at(1), at(1)]).pop(), Some((0, 1)), "three seconds, the lease again");
        assert_eq!(looks([at(1), at(1), at(1), at(2)]).pop(), Some((0, 0)), "renewed");
        assert_eq!(looks([at(1), at(1), locked, at(1), at(1)]).pop(), Some((0, 0)), "locked meanwhile");
    }

    #[test]
    fn rule_12_a_write_of_ours_that_failed_begins_the_time_anew() {
        let at = |answer| (answer, look(0, LockEvidence::Held, Some(row(1))));
        for broken in [Answer::Refused, Answer::Nothing, Answer::Wrote { waited: Duration::from_secs(2) }] {
            assert_eq!(looks([WROTE, WROTE, broken, WROTE, WROTE].map(at)).pop(), Some((0, 0)), "{broken:?}");
        }
    }

    /// When a supervisor asks for overdue rows, of looks each second; this one is overdue at these.
    fn asks(before_us: i64, overdue_at: std::ops::Range<u64>) -> Vec<u64> {
        const LONG_LEASE: Duration = Duration::from_secs(30);
        let (mut watch, start) = (Watch::default(), Instant::now());
        let asks = (0..30).filter(|second| {
            let now = start + Duration::from_secs(*second);
            let found = look(0, LockEvidence::Held, overdue_at.contains(second).then(|| row(1)));
            let mut look = Look { overdue: None, looks_before_us: before_us, ..found.clone() };
            let is_due = watch.overdue_is_due(&look, LONG_LEASE, now);
            look.overdue = found.overdue.filter(|_| is_due);
            watch.looked(&look, LONG_LEASE, now);
            is_due
        });
        asks.collect()
    }

    #[test]
    fn few_supervisors_look_for_overdue_rows_each_time_and_all_while_there_is_one() {
        assert_eq!(asks(2, 0..0), (0..30).collect::<Vec<_>>());
        assert_eq!(asks(3, 0..0), [0, 10, 20]);
        assert_eq!(asks(3, 8..14), [0, 10, 11, 12, 13, 14, 24], "until it is none any more");
    }

    #[test]
    fn rule_12_an_owner_that_shows_nothing_is_judged_by_its_leases() {
        let older = Look { owners: Vec::new(), ..look(0, LockEvidence::NotShown, Some(row(1))) };
        assert_eq!(
            looks([(); 3].map(|()| (WROTE, older.clone()))),
            [(0, 0), (0, 1), (0, 1)],
            "a third of the lease"
        );
    }

    #[test]
    fn rule_13_five_seconds_without_a_beat_and_without_a_lock_are_a_death() {
        let silent = |lock| (WROTE, look(1, lock, None));
        let given: Vec<_> = (0..7).map(|_| silent(LockEvidence::Free)).collect();
        assert_eq!(looks(given), [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (1, 0), (1, 0)]);
        let beating = (0..20).map(|second| (WROTE, look(second / 4, LockEvidence::Free, None)));
        assert!(looks(beating).iter().all(|lost| *lost == (0, 0)), "it beats, if slowly");
        // Frozen for a while, and its connection is lost as it goes on: it gets its time to beat.
        let lost_late =
            (0..9).map(|second| silent(if second < 6 { LockEvidence::Held } else { LockEvidence::Free }));
        assert!(looks(lost_late).iter().all(|lost| *lost == (0, 0)), "the lock has only just become free");
        let held = (0..20).map(|_| silent(LockEvidence::Held));
        assert!(looks(held).iter().all(|lost| *lost == (0, 0)), "its session lives");
    }
}
