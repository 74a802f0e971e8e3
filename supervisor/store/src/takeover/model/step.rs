//! What may happen next in the world of the model, and what it leads to.

use super::guards::ModelDelivery;
use super::world::{Database, Hands, Life, ModelSession, ModelStatus, ModelWorld, Who};

/// How long the owner may be frozen: two thirds of a lease.
const FROZEN_MAX: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ModelStep {
    Tick,
    Claim(Who),
    Arrive(Who),
    End(Who),
    Commit(Who),
    GiveBack(Who),
    Renew,
    RenewalAnswered,
    Look,
    TakeOver,
    TakeLock,
    /// The server gives up a session that its client has closed.
    SessionEnds,
    // What goes wrong, and ends.
    Database(Database),
    LockRow(bool),
    Freeze,
    Thaw,
    CutOff,
    Heal,
    Kill,
    Refuse(bool),
}

impl ModelWorld {
    fn goes_wrong(&self, step: ModelStep) -> bool {
        let lives = self.life == Life::Lives;
        match step {
            ModelStep::Database(Database::Refuses | Database::Away) => self.database == Database::Writes,
            ModelStep::LockRow(true) => !self.locked && self.status == ModelStatus::Running,
            ModelStep::Freeze | ModelStep::CutOff | ModelStep::Kill => lives,
            ModelStep::Refuse(true) => lives && !self.refused,
            ModelStep::Database(Database::Writes) | ModelStep::LockRow(false) | ModelStep::Refuse(false) => {
                false
            }
            ModelStep::Tick
            | ModelStep::Renew
            | ModelStep::RenewalAnswered
            | ModelStep::Look
            | ModelStep::TakeOver => false,
            ModelStep::Claim(_)
            | ModelStep::Arrive(_)
            | ModelStep::End(_)
            | ModelStep::Commit(_)
            | ModelStep::GiveBack(_) => false,
            ModelStep::TakeLock | ModelStep::SessionEnds | ModelStep::Thaw | ModelStep::Heal => false,
        }
    }

    pub(super) fn is_possible(&self, step: ModelStep, model: ModelDelivery) -> bool {
        let guards = model.guards;
        if self.status == ModelStatus::Over {
            return false;
        }
        let lives = |who| who == Who::Prober || self.life == Life::Lives;
        let mut hands = *self;
        let mut held = |who| *hands.hands(who);
        match step {
            // What nothing keeps it from a supervisor does within a tick.
            ModelStep::Tick => {
                let at_rest = self.renewed && self.renewal.is_none() && held(Who::Owner).arriving == 0;
                let recovers = self.life == Life::Dead && self.is_possible(ModelStep::TakeOver, model);
                (self.life != Life::Lives || at_rest)
                    && self.life != Life::Frozen(FROZEN_MAX)
                    && self.looked
                    && !recovers
                    && !self.is_possible(ModelStep::TakeLock, model)
            }
            ModelStep::Claim(who) => {
                let shown = who == Who::Prober || guards.beats_count || self.session == ModelSession::Held;
                self.can_write(who)
                    && shown
                    && self.status == ModelStatus::Pending
                    && self.attempt < model.attempts_max
            }
            ModelStep::Arrive(who) => lives(who) && held(who).arriving != 0,
            ModelStep::End(who) => lives(who) && held(who).running != 0,
            ModelStep::Commit(who) => self.can_write(who) && !self.locked && held(who).ended != 0,
            ModelStep::GiveBack(who) => self.is_possible(ModelStep::Commit(who), model),
            ModelStep::Renew => lives(Who::Owner) && !self.renewed,
            ModelStep::RenewalAnswered => lives(Who::Owner) && self.renewal.is_some(),
            ModelStep::Look => !self.looked,
            ModelStep::TakeOver => {
                let ours = self.status == ModelStatus::Running && self.owner == Who::Owner;
                self.can_write(Who::Prober) && !self.locked && ours && self.still()
            }
            ModelStep::TakeLock => {
                let closed = self.session == ModelSession::Free || guards.closed_first;
                self.can_write(Who::Owner) && self.session != ModelSession::Held && !self.refused && closed
            }
            ModelStep::SessionEnds => self.session == ModelSession::Stale && guards.closed_first,
            ModelStep::Database(Database::Writes) => self.database != Database::Writes,
            ModelStep::LockRow(false) => self.locked,
            ModelStep::Thaw => matches!(self.life, Life::Frozen(_)),
            ModelStep::Heal => self.life == Life::CutOff,
            ModelStep::Refuse(false) => self.refused,
            ModelStep::Database(_)
            | ModelStep::LockRow(_)
            | ModelStep::Freeze
            | ModelStep::CutOff
            | ModelStep::Kill
            | ModelStep::Refuse(_) => self.faults_left > 0 && self.goes_wrong(step),
        }
    }

    pub(super) fn after(mut self, step: ModelStep, model: ModelDelivery) -> Self {
        let guards = model.guards;
        self.faults_left -= u8::from(self.goes_wrong(step));
        match step {
            ModelStep::Tick => self.tick(guards),
            ModelStep::Claim(who) => self.claimed(who),
            ModelStep::Arrive(who) => {
                let hands = self.hands(who);
                hands.running |= std::mem::take(&mut hands.arriving);
            }
            ModelStep::End(who) => {
                let hands = self.hands(who);
                hands.ended |= std::mem::take(&mut hands.running);
            }
            ModelStep::Commit(who) => self.commit(who, false, guards),
            ModelStep::GiveBack(who) => self.commit(who, true, guards),
            ModelStep::Renew => self.renew(guards),
            ModelStep::RenewalAnswered => self.renewal_answered(guards),
            ModelStep::Look => self.look(guards),
            ModelStep::TakeOver if self.attempt < model.attempts_max => self.claimed(Who::Prober),
            ModelStep::TakeOver => {
                (self.status, self.owner, self.stored) = (ModelStatus::Over, Who::Prober, 0)
            }
            ModelStep::TakeLock => self.session = ModelSession::Held,
            ModelStep::SessionEnds => self.session = ModelSession::Free,
            ModelStep::Database(database) => {
                (self.database, self.missing, self.orphaned) = (database, 0, 0);
                // A tick holds many looks of the product: one of them meets what does not last.
                self.writes = if self.contact(guards) { self.writes } else { 0 };
                self.renewed &= !(guards.renewal_hurries && database == Database::Writes);
                // Who is frozen gives nothing up.
                let notices = database == Database::Away && self.life == Life::Lives;
                if notices && self.session == ModelSession::Held {
                    self.session = ModelSession::Stale;
                }
            }
            ModelStep::LockRow(locked) => {
                (self.locked, self.orphaned) = (locked, 0);
                self.renewed &= locked || !guards.renewal_hurries;
            }
            ModelStep::Freeze => {
                self.life = Life::Frozen(0);
                // Frozen and without a lock it cannot be told from a dead one.
                self.excused |= self.session != ModelSession::Held;
            }
            ModelStep::CutOff => {
                (self.life, self.session, self.excused) = (Life::CutOff, ModelSession::Free, true)
            }
            ModelStep::Thaw | ModelStep::Heal => self.life = Life::Lives,
            ModelStep::Kill => {
                (self.life, self.session, self.renewal) = (Life::Dead, ModelSession::Free, None);
                *self.hands(Who::Owner) = Hands::default();
            }
            ModelStep::Refuse(refused) => {
                self.refused = refused;
                if refused {
                    self.session = ModelSession::Free;
                    self.excused |= matches!(self.life, Life::Frozen(_));
                }
            }
        }
        self
    }
}

/// All there are.
pub(super) const STEPS: [ModelStep; 29] = [
    ModelStep::Tick,
    ModelStep::Claim(Who::Owner),
    ModelStep::Claim(Who::Prober),
    ModelStep::Arrive(Who::Owner),
    ModelStep::Arrive(Who::Prober),
    ModelStep::End(Who::Owner),
    ModelStep::End(Who::Prober),
    ModelStep::Commit(Who::Owner),
    ModelStep::Commit(Who::Prober),
    ModelStep::GiveBack(Who::Owner),
    ModelStep::GiveBack(Who::Prober),
    ModelStep::Renew,
    ModelStep::RenewalAnswered,
    ModelStep::Look,
    ModelStep::TakeOver,
    ModelStep::TakeLock,
    ModelStep::Database(Database::Writes),
    ModelStep::Database(Database::Refuses),
    ModelStep::Database(Database::Away),
    ModelStep::LockRow(true),
    ModelStep::LockRow(false),
    ModelStep::Freeze,
    ModelStep::Thaw,
    ModelStep::CutOff,
    ModelStep::Heal,
    ModelStep::Kill,
    ModelStep::Refuse(true),
    ModelStep::Refuse(false),
    ModelStep::SessionEnds,
];
