//! The world of the model: what is in the database and in the hands of both supervisors, and what each act of theirs
//! does to it.

use std::time::Duration;

use muster_core::execution::Attempt;
use uuid::Uuid;

use super::guards::Guards;
use crate::takeover::{Evidence, Grounds, LockEvidence, ProcessEvidence, SILENCE, grounds};
use crate::unheld_claims::{ClaimsUnderWay, UnheldClaims};

/// One renewal period, which is also how long a silence must last.
const TICK: Duration = SILENCE;
pub(super) const LEASE: u8 = 3;
/// One tick is the silence that counts.
const SILENT_ENOUGH: u8 = 1;
/// Nothing counts further than this: no rule asks for more.
const COUNT_MAX: u8 = LEASE;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Database {
    Writes,
    /// It answers, and cannot write: read-only, or its table is locked.
    Refuses,
    Away,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ModelStatus {
    Pending,
    Running,
    Over,
}

/// The two supervisors: one runs, and everything happens to it; the other watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Owner,
    Prober,
}

/// The owner's session that holds its lock, at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ModelSession {
    Held,
    /// The owner has given it up, the server has not.
    Stale,
    Free,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Life {
    Lives,
    Frozen(u8),
    /// It cannot reach the database.
    CutOff,
    Dead,
}

/// What a supervisor holds, one bit for each attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Hands {
    /// Claimed, and the answer is on its way.
    pub(super) arriving: u8,
    pub(super) running: u8,
    /// Over, and not committed.
    pub(super) ended: u8,
}

impl Hands {
    pub(super) fn all(self) -> u8 {
        self.arriving | self.running | self.ended
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ModelWorld {
    pub(super) database: Database,
    /// Somebody else has locked the row.
    pub(super) locked: bool,
    /// The prober has locked it for a look.
    pub(super) peeked: bool,
    pub(super) status: ModelStatus,
    pub(super) attempt: u8,
    pub(super) owner: Who,
    pub(super) lease: u8,
    /// Whose writes to state are stored.
    pub(super) stored: u8,
    pub(super) life: Life,
    pub(super) session: ModelSession,
    /// No new presence connection can be made.
    pub(super) refused: bool,
    /// What was taken from the owner was taken by right: it was out of reach.
    pub(super) excused: bool,
    pub(super) hands: [Hands; 2],
    /// A renewal is under way, and found this stray.
    pub(super) renewal: Option<u8>,
    pub(super) renewed: bool,
    pub(super) looked: bool,
    pub(super) heard: bool,
    pub(super) silent: u8,
    pub(super) free: Option<u8>,
    pub(super) overdue: Option<u8>,
    pub(super) writes: u8,
    pub(super) found: Option<Grounds>,
    pub(super) missing: u8,
    pub(super) orphaned: u8,
    pub(super) faults_left: u8,
}

fn bit(attempt: u8) -> u8 {
    1 << attempt
}

fn more(count: u8) -> u8 {
    (count + 1).min(COUNT_MAX)
}

impl ModelWorld {
    /// Nothing has happened yet.
    pub(super) fn first(faults_left: u8) -> Self {
        Self {
            database: Database::Writes,
            locked: false,
            peeked: false,
            status: ModelStatus::Pending,
            attempt: 0,
            owner: Who::Owner,
            lease: 0,
            stored: 0,
            life: Life::Lives,
            session: ModelSession::Held,
            refused: false,
            excused: false,
            hands: [Hands::default(); 2],
            renewal: None,
            renewed: false,
            looked: false,
            heard: false,
            silent: 0,
            free: None,
            overdue: None,
            writes: COUNT_MAX,
            found: None,
            missing: 0,
            orphaned: 0,
            faults_left,
        }
    }

    pub(super) fn can_write(&self, who: Who) -> bool {
        self.database == Database::Writes
            && match who {
                Who::Owner => self.life == Life::Lives,
                Who::Prober => true,
            }
    }

    pub(super) fn hands(&mut self, who: Who) -> &mut Hands {
        &mut self.hands[who as usize]
    }

    pub(super) fn is_ours(&self, who: Who, attempt: u8) -> bool {
        self.status == ModelStatus::Running && self.owner == who && self.attempt == attempt
    }

    pub(super) fn claimed(&mut self, who: Who) {
        self.status = ModelStatus::Running;
        self.attempt += 1;
        (self.owner, self.lease) = (who, LEASE);
        let attempt = bit(self.attempt);
        self.hands(who).arriving |= attempt;
    }

    /// The prober's evidence.
    fn evidence(&self, guards: Guards) -> Evidence {
        let ticks = |count: u8| TICK * u32::from(count);
        Evidence {
            process: ProcessEvidence::Unknown,
            lock: if self.session == ModelSession::Free { LockEvidence::Free } else { LockEvidence::Held },
            free_for: ticks(self.free.unwrap_or(0)),
            silent_for: ticks(if guards.beats_count { self.silent } else { SILENT_ENOUGH }),
            overdue_for: self.overdue.map(ticks),
            writes_for: ticks(self.writes),
            server_up_for: Duration::from_secs(1000),
            lease: ticks(LEASE),
        }
    }

    /// Whether what the database gives counts as contact.
    pub(super) fn contact(&self, guards: Guards) -> bool {
        match self.database {
            Database::Writes => true,
            Database::Refuses => !guards.only_writes,
            Database::Away => false,
        }
    }

    pub(super) fn look(&mut self, guards: Guards) {
        self.looked = true;
        self.found = None;
        if !self.contact(guards) {
            return;
        }
        if std::mem::take(&mut self.heard) {
            self.silent = 0;
        }
        self.free = (self.session == ModelSession::Free).then(|| self.free.unwrap_or(0));
        let ran_out = self.status == ModelStatus::Running && self.owner == Who::Owner && self.lease == 0;
        let seen = ran_out && !(self.locked && guards.locked_is_not_overdue);
        self.overdue = seen.then(|| self.overdue.unwrap_or(0));
        self.peeked = seen;
        self.found = grounds(&self.evidence(guards)).filter(|_| self.status == ModelStatus::Running);
    }

    /// Whether what was found is so still.
    pub(super) fn still(&self) -> bool {
        match self.found {
            Some(Grounds::Overdue) => self.lease == 0,
            Some(Grounds::Silent | Grounds::ProcessGone) => self.session == ModelSession::Free && !self.heard,
            None => false,
        }
    }

    pub(super) fn renew(&mut self, guards: Guards) {
        self.renewed = true;
        if !self.can_write(Who::Owner) {
            return;
        }
        let hands = self.hands[Who::Owner as usize];
        let held = (hands.running | hands.ended) & bit(self.attempt) != 0;
        let ours = self.status == ModelStatus::Running && self.owner == Who::Owner;
        let in_the_way = self.locked || (self.peeked && !guards.renewal_waits);
        if ours && held && !in_the_way {
            (self.lease, self.heard) = (LEASE, true);
        }
        self.renewal = Some(if ours && !held && self.lease <= 1 { self.attempt } else { 0 });
    }

    pub(super) fn renewal_answered(&mut self, guards: Guards) {
        let Some(stray) = self.renewal.take().filter(|stray| *stray > 0) else { return };
        let hands = self.hands[Who::Owner as usize];
        let mut claims = ClaimsUnderWay::default();
        if hands.arriving != 0 {
            claims.begin();
        }
        let attempt = Attempt::new(Uuid::nil(), u32::from(stray));
        let settled = !UnheldClaims::default().look(&[attempt], &claims).is_empty();
        let unheld = settled && hands.all() & bit(stray) == 0;
        if (unheld || !guards.strays_looked_up) && self.is_ours(Who::Owner, stray) {
            self.status = ModelStatus::Pending;
        }
    }

    /// One group with all that has ended.
    pub(super) fn commit(&mut self, who: Who, back: bool, guards: Guards) {
        let ended = std::mem::take(&mut self.hands(who).ended);
        if !self.is_ours(who, self.attempt) || ended & bit(self.attempt) == 0 {
            return;
        }
        self.status = if back { ModelStatus::Pending } else { ModelStatus::Over };
        if !back {
            // Known by its id only, the first of the group passes for written too.
            let first = ended.trailing_zeros() as u8;
            self.stored = if guards.keyed_by_attempt { self.attempt } else { first };
        }
    }

    pub(super) fn tick(&mut self, guards: Guards) {
        if let Life::Frozen(ticks) = &mut self.life {
            *ticks += 1;
        }
        let owner_writes = self.can_write(Who::Owner);
        self.heard |= owner_writes;
        self.lease = self.lease.saturating_sub(1);
        self.silent = SILENT_ENOUGH;
        self.writes = if self.contact(guards) { more(self.writes) } else { 0 };
        (self.overdue, self.free) = (self.overdue.map(more), self.free.map(|_| SILENT_ENOUGH));
        (self.renewed, self.looked, self.peeked) = (false, false, false);
        let should_be_present = owner_writes && !self.refused && self.session != ModelSession::Held;
        self.missing = if should_be_present { more(self.missing) } else { 0 };
        let orphan = self.life == Life::Dead
            && self.status == ModelStatus::Running
            && self.owner == Who::Owner
            && self.can_write(Who::Prober)
            && !self.locked;
        self.orphaned = if orphan { more(self.orphaned) } else { 0 };
    }

    pub(super) fn is_safe(&self) -> bool {
        let held = self.hands[Who::Owner as usize].all();
        self.excused || held == 0 || (self.is_ours(Who::Owner, self.attempt) && held == bit(self.attempt))
    }
}
