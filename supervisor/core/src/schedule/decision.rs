//! What follows from a tick that is due: run it, skip it, or wait.

use jiff::{SignedDuration, Timestamp};

use super::ScheduleTimes;

/// Up to so much later a tick is not one that was missed.
pub(super) const ON_TIME_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// A last tick so far ahead was run while the clock was wrong. A clock that goes back by less is waited for.
pub(super) const CLOCK_BACK_MIN: SignedDuration = SignedDuration::from_hours(3);

/// The most missed ticks that are made up for.
pub(super) const MISSED_MAX: usize = 100;

/// What becomes of a tick while the execution of the one before is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// It is noted and not run.
    Skip,
    /// It waits.
    Queue,
    /// The execution before is cancelled.
    Replace,
    /// Both run.
    Allow,
}

/// What becomes of ticks that came while nobody was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The latest is run, for all of them.
    RunOnce,
    /// None is run.
    Skip,
    /// All are run, in their order; at most a hundred.
    RunAll,
}

/// What of a schedule decides about its ticks.
#[derive(Clone, Debug)]
pub struct ScheduleRules {
    /// When it ticks.
    pub times: ScheduleTimes,
    /// What becomes of a tick while the execution of the one before is not over.
    pub overlap: Overlap,
    /// What becomes of ticks that came while nobody was up.
    pub missed: Missed,
    /// How old a missed tick may be to be run.
    pub missed_within: SignedDuration,
    /// How much later than its moment each tick is due.
    pub offset: SignedDuration,
}

/// Where a schedule stands.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleStanding {
    /// The moment of its next tick.
    pub moment: Timestamp,
    /// The moment of its last one.
    pub last: Option<Timestamp>,
    /// Whether its last execution is not over.
    pub is_running: bool,
}

/// What is to be done, and when the schedule ticks next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TickDecision {
    /// Nothing is due.
    NotYet,
    /// The tick waits for the execution before.
    Wait,
    /// The tick of this moment is run.
    Run {
        /// The moment of the tick.
        moment: Timestamp,
        /// Whether the execution of the tick before is cancelled first.
        replaces: bool,
        /// The tick after it.
        next: Option<Timestamp>,
    },
    /// The clock was set back by hours: what would be next is far away, so the next tick is found anew. One that ran
    /// already does not run again, since the id of its execution is there.
    StartAnew {
        /// The next tick by the clock of now.
        next: Option<Timestamp>,
    },
    /// What was due is not run.
    Skip {
        /// The tick after it.
        next: Option<Timestamp>,
        /// Why, for people.
        reason: SkipReason,
    },
}

/// Why a tick is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The execution of the tick before is not over.
    StillRunning,
    /// It came while nobody was up.
    Missed,
}

impl ScheduleRules {
    /// When the tick of this moment is due: later by the offset of the schedule, but never as late as the next one.
    pub fn due(&self, moment: Timestamp) -> Timestamp {
        if self.offset.is_zero() {
            return moment;
        }
        let room = self.times.next_after(moment).map(|next| next.duration_since(moment));
        let offset = room.map_or(self.offset, |room| {
            self.offset.min(room - SignedDuration::from_secs(1)).max(SignedDuration::ZERO)
        });
        moment.checked_add(offset).unwrap_or(moment)
    }
}

/// What to do about a schedule. One tick at a time: whoever has done it asks again.
pub fn decide(rules: &ScheduleRules, standing: ScheduleStanding, now: Timestamp) -> TickDecision {
    let ScheduleStanding { moment, last, is_running } = standing;
    if last.is_some_and(|last| last.duration_since(now) > CLOCK_BACK_MIN) {
        return TickDecision::StartAnew { next: rules.times.next_after(now) };
    }
    let due = rules.due(moment);
    if due > now {
        return TickDecision::NotYet;
    }
    let was_missed = now.duration_since(due) > ON_TIME_WITHIN;
    let is_too_old = now.duration_since(due) > rules.missed_within.max(ON_TIME_WITHIN);
    // One that waits for another was not missed, however late it is.
    if is_running && rules.overlap == Overlap::Queue {
        return TickDecision::Wait;
    }
    let moment = if !was_missed {
        moment
    } else {
        match rules.missed {
            Missed::Skip => return skip_until(rules, moment, now, ON_TIME_WITHIN),
            Missed::RunAll if is_too_old => return skip_until(rules, moment, now, rules.missed_within),
            Missed::RunAll => first_of_the_last(rules, moment, now),
            Missed::RunOnce => {
                let until = now.checked_sub(rules.offset).unwrap_or(now);
                let latest = rules.times.latest(moment, until).unwrap_or(moment);
                if now.duration_since(rules.due(latest)) > rules.missed_within.max(ON_TIME_WITHIN) {
                    let next = rules.times.next_after(latest);
                    return TickDecision::Skip { next, reason: SkipReason::Missed };
                }
                latest
            }
        }
    };
    let next = rules.times.next_after(moment);
    if is_running && rules.overlap == Overlap::Skip {
        return TickDecision::Skip { next, reason: SkipReason::StillRunning };
    }
    TickDecision::Run { moment, replaces: is_running && rules.overlap == Overlap::Replace, next }
}

/// Passes by what is older than `within`.
fn skip_until(
    rules: &ScheduleRules,
    moment: Timestamp,
    now: Timestamp,
    within: SignedDuration,
) -> TickDecision {
    let from = now.checked_sub(within).and_then(|from| from.checked_sub(rules.offset)).unwrap_or(now);
    let next = rules.times.next_after(from.max(moment));
    TickDecision::Skip { next, reason: SkipReason::Missed }
}

/// The first of the last ticks that are due, so that not too many are made up for.
fn first_of_the_last(rules: &ScheduleRules, moment: Timestamp, now: Timestamp) -> Timestamp {
    let mut last = std::collections::VecDeque::from([moment]);
    while let Some(next) = last.back().and_then(|last| rules.times.next_after(*last)) {
        if rules.due(next) > now {
            break;
        }
        if last.len() == MISSED_MAX {
            last.pop_front();
        }
        last.push_back(next);
    }
    last.front().copied().unwrap_or(moment)
}
