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
    /// The executions before that are not over are cancelled.
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
    /// All are run, in their order; at most a hundred. Where a tick is skipped while the execution before is not over, each
    /// of these waits for it.
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
    /// When that is run, as it was kept: later than [`ScheduleRules::due`] for one that is made up for, and then since when.
    pub due: Option<Timestamp>,
    /// The moment of its last one.
    pub last: Option<Timestamp>,
    /// What became of its executions before, those that somebody asked for by hand among them.
    pub before: ExecutionsBefore,
}

/// What became of the executions before a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionsBefore {
    /// There are none.
    None,
    /// At least one is not over.
    Running,
    /// All are over, the last since then.
    Over(Timestamp),
}

/// What is to be done, and when the schedule ticks next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TickDecision {
    /// Nothing is due.
    NotYet,
    /// The tick waits for the execution before.
    Wait,
    /// The tick of this moment was missed and waits for the execution before, and so do those after it until `since`: that
    /// is to be kept as when it is due.
    MakeUp {
        /// The moment of the tick.
        moment: Timestamp,
        /// When it was seen that it was missed.
        since: Timestamp,
    },
    /// The tick of this moment is run.
    Run {
        /// The moment of the tick.
        moment: Timestamp,
        /// Whether the executions before that are not over are cancelled first.
        replaces: bool,
        /// The tick after it.
        next: Option<Timestamp>,
        /// When that is due.
        due: Option<Timestamp>,
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
    let ScheduleStanding { moment, last, before, .. } = standing;
    if last.is_some_and(|last| last.duration_since(now) > CLOCK_BACK_MIN) {
        return TickDecision::StartAnew { next: rules.times.next_after(now) };
    }
    let due = rules.due(moment);
    if due > now {
        return TickDecision::NotYet;
    }
    if rules.overlap == Overlap::Queue {
        match before {
            ExecutionsBefore::Running => return TickDecision::Wait,
            // One that waited for another was not missed, however late it is.
            ExecutionsBefore::Over(at) if at > due => return run_waited(rules, moment, at.min(now)),
            ExecutionsBefore::Over(_) | ExecutionsBefore::None => {}
        }
    }
    // What is made up for is as old as it was when that began: since then it waits.
    let made_up = standing.due.filter(|since| rules.missed == Missed::RunAll && *since > due);
    let seen = made_up.map_or(now, |since| since.min(now));
    let late = seen.duration_since(due);
    let is_running = before == ExecutionsBefore::Running;
    if made_up.is_none() && late <= ON_TIME_WITHIN {
        return in_time(rules, moment, is_running);
    }
    let is_too_old = late > rules.missed_within.max(ON_TIME_WITHIN);
    match rules.missed {
        Missed::Skip => skip_until(rules, moment, now, ON_TIME_WITHIN),
        Missed::RunAll if is_too_old => skip_until(rules, moment, seen, rules.missed_within),
        Missed::RunAll => {
            let moment = first_of_the_last(rules, moment, seen);
            match (rules.overlap, is_running, made_up) {
                (Overlap::Skip, true, Some(_)) => TickDecision::Wait,
                (Overlap::Skip, true, None) => TickDecision::MakeUp { moment, since: seen },
                (Overlap::Skip | Overlap::Queue | Overlap::Replace | Overlap::Allow, _, _) => {
                    make_up(rules, moment, is_running, seen, now)
                }
            }
        }
        Missed::RunOnce => {
            let latest = latest_due(rules, moment, now);
            if now.duration_since(rules.due(latest)) > rules.missed_within.max(ON_TIME_WITHIN) {
                let next = rules.times.next_after(latest);
                return TickDecision::Skip { next, reason: SkipReason::Missed };
            }
            in_time(rules, latest, is_running)
        }
    }
}

/// What becomes of a tick that is not too late, by what is not over.
fn in_time(rules: &ScheduleRules, moment: Timestamp, is_running: bool) -> TickDecision {
    let next = rules.times.next_after(moment);
    if is_running && rules.overlap == Overlap::Skip {
        return TickDecision::Skip { next, reason: SkipReason::StillRunning };
    }
    let replaces = is_running && rules.overlap == Overlap::Replace;
    TickDecision::Run { moment, replaces, next, due: next.map(|next| rules.due(next)) }
}

/// Runs one that waited for an execution that was over at `until`: the last of those that did, or one after another.
fn run_waited(rules: &ScheduleRules, moment: Timestamp, until: Timestamp) -> TickDecision {
    let moment = match rules.missed {
        Missed::RunOnce => latest_due(rules, moment, until),
        Missed::Skip | Missed::RunAll => first_of_the_last(rules, moment, until),
    };
    in_time(rules, moment, false)
}

/// Runs one that was missed, of all that were when it was seen. Those that came since then, while another was made up for,
/// are passed by if the one before must be over.
fn make_up(
    rules: &ScheduleRules,
    moment: Timestamp,
    is_running: bool,
    since: Timestamp,
    now: Timestamp,
) -> TickDecision {
    let replaces = is_running && rules.overlap == Overlap::Replace;
    let mut next = rules.times.next_after(moment);
    let is_missed = next.is_some_and(|next| rules.due(next) <= since);
    if !is_missed && rules.overlap == Overlap::Skip {
        let passed = now.checked_sub(rules.offset).unwrap_or(now);
        next = rules.times.next_after(passed.max(moment));
    }
    let due = next.map(|next| if is_missed { since } else { rules.due(next) });
    TickDecision::Run { moment, replaces, next, due }
}

/// The latest from this one on that is due by then.
fn latest_due(rules: &ScheduleRules, moment: Timestamp, until: Timestamp) -> Timestamp {
    let until = until.checked_sub(rules.offset).unwrap_or(until);
    rules.times.latest(moment, until).unwrap_or(moment)
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
