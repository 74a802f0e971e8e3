//! Counts from outside: how many ran at once, and whether somebody waited while there was room.

use std::collections::HashMap;

use super::change::LimitChange;
use super::load::{RunKind, SINGLE};

/// One execution as it was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) key: usize,
    /// Which limits it needs room in.
    pub(super) kind: RunKind,
    /// When its row was written.
    pub(super) at_us: i64,
}

impl Asked {
    fn mails(self) -> bool {
        self.kind == RunKind::Mails
    }
}

/// One attempt as its own stamps tell of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObservedRun {
    /// The place of its execution among those that were asked for.
    pub(super) number: usize,
    pub(super) is_first: bool,
    /// When the record says that it was claimed.
    pub(super) claimed_us: i64,
    pub(super) from_us: i64,
    pub(super) to_us: i64,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Observation {
    /// Each time when more ran than a limit said, in words.
    pub(super) above: Vec<String>,
    pub(super) most_at_once: usize,
    pub(super) most_of_one_key: usize,
    /// The longest time in which fewer ran than might, though somebody waited that might have run: where most places were
    /// taken most of the time, so that one that never was is one that nobody gave out.
    pub(super) longest_idle_us: i64,
    /// The longest such time in which most places were free most of the time: the machine did not start more.
    pub(super) longest_slow_us: i64,
    /// The longest such time without a single start.
    pub(super) longest_stall_us: i64,
    /// When that began.
    pub(super) stalled_at_us: i64,
}

/// What happens at a moment, in the order in which it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LimitHappening {
    Left(usize),
    Asked(usize),
    Entered(usize),
    Changed,
}

/// Plays all of it again. Times in which the database was away are nobody's fault.
pub(super) fn observe(
    asked: &[Asked],
    runs: &[ObservedRun],
    changes: &[LimitChange],
    away: &[(i64, i64)],
) -> Observation {
    let mut moments: Vec<(i64, LimitHappening)> = Vec::new();
    moments
        .extend(asked.iter().enumerate().map(|(place, asked)| (asked.at_us, LimitHappening::Asked(place))));
    for (place, run) in runs.iter().enumerate() {
        moments.extend([
            (run.from_us, LimitHappening::Entered(place)),
            (run.to_us, LimitHappening::Left(place)),
        ]);
    }
    let changed = changes.iter().flat_map(|change| [change.asked_us, change.done_us]);
    moments.extend(
        changed
            .chain(away.iter().flat_map(|(from, to)| [*from, *to]))
            .map(|at| (at, LimitHappening::Changed)),
    );
    moments.sort_unstable();
    let mut watch =
        LimitWatch { asked, runs, changes, away, floor: Floor::default(), seen: Observation::default() };
    for (at, happening) in moments {
        watch.step(at, happening);
    }
    watch.seen
}

/// What runs and what waits at this moment.
#[derive(Debug, Default)]
struct Floor {
    running: Vec<usize>,
    of_key: HashMap<usize, usize>,
    of_kind: HashMap<(RunKind, usize), usize>,
    mailing: usize,
    /// How many wait for their first start, by key and second limit.
    waiting: HashMap<(usize, bool), usize>,
    idle: Option<IdleSpan>,
    stalled_since: Option<i64>,
}

/// A time in which somebody might have run.
#[derive(Clone, Copy, Debug)]
struct IdleSpan {
    since: i64,
    until: i64,
    /// How long anybody ran in it, summed up.
    ran_us: i64,
    /// How long might have been run in it.
    room_us: i64,
}

impl IdleSpan {
    fn at(at: i64) -> Self {
        Self { since: at, until: at, ran_us: 0, room_us: 0 }
    }

    /// So many ran up to now, of so many.
    fn pass(&mut self, at: i64, ran: usize, room: usize) {
        let passed = at - self.until;
        self.until = at;
        self.ran_us += passed * ran as i64;
        self.room_us += passed.saturating_mul(i64::try_from(room).unwrap_or(i64::MAX));
    }

    fn is_mostly_taken(&self) -> bool {
        self.ran_us * 2 >= self.room_us
    }
}

struct LimitWatch<'a> {
    asked: &'a [Asked],
    runs: &'a [ObservedRun],
    changes: &'a [LimitChange],
    away: &'a [(i64, i64)],
    floor: Floor,
    seen: Observation,
}

impl LimitWatch<'_> {
    fn step(&mut self, at: i64, happening: LimitHappening) {
        self.pass_time(at);
        match happening {
            LimitHappening::Asked(place) => {
                let asked = self.asked[place];
                if asked.kind.only_waits_for_room() {
                    *self.floor.waiting.entry((asked.key, asked.mails())).or_default() += 1;
                }
            }
            LimitHappening::Entered(place) => self.enter(at, place),
            LimitHappening::Left(place) => self.leave(place),
            LimitHappening::Changed => {}
        }
        self.look_for_room(at, matches!(happening, LimitHappening::Entered(_)));
    }

    fn enter(&mut self, at: i64, place: usize) {
        let run = self.runs[place];
        let asked @ Asked { key, kind, .. } = self.asked[run.number];
        let (floor, mails) = (&mut self.floor, asked.mails());
        if run.is_first
            && kind.only_waits_for_room()
            && let Some(waiting) = floor.waiting.get_mut(&(key, mails))
        {
            *waiting = waiting.saturating_sub(1);
        }
        floor.running.push(place);
        floor.mailing += usize::from(mails);
        let of_key = floor.of_key.entry(key).or_default();
        *of_key += 1;
        let of_kind = floor.of_kind.entry((kind, key)).or_default();
        *of_kind += 1;
        let (total, of_key, of_kind, mailing) = (floor.running.len(), *of_key, *of_kind, floor.mailing);
        let most_of_kind = match kind {
            RunKind::Plain | RunKind::Mails | RunKind::Paced => usize::MAX,
            RunKind::Newest | RunKind::Latest => 1,
            RunKind::Single => SINGLE,
        };
        self.seen.most_at_once = self.seen.most_at_once.max(total);
        self.seen.most_of_one_key = self.seen.most_of_one_key.max(of_key);
        // A limit that was lowered since lets go on what it had let in: what counts is what it said then.
        let claims = floor.running.iter().map(|place| self.runs[*place].claimed_us);
        let since = claims.min().unwrap_or(at).min(at);
        let most = LimitChange::most(self.changes, since, at);
        for (what, count, most) in [
            ("in all", total, most.total),
            ("of one key", of_key, most.per_key),
            ("in the second limit", mailing, most.mails),
            ("in a limit that does not let wait", of_kind, most_of_kind),
        ] {
            if count > most {
                self.seen.above.push(format!("{count} of {most} {what} at {at}: {}", self.all_that_run()));
            }
        }
    }

    /// Each with its key, its claim, its start and its end, the last that entered last.
    fn all_that_run(&self) -> String {
        let words = |place: &usize| {
            let ObservedRun { number, claimed_us, from_us, to_us, .. } = self.runs[*place];
            format!("{number} ({}: {claimed_us}, {from_us} to {to_us})", self.asked[number].key)
        };
        self.floor.running.iter().map(words).collect::<Vec<_>>().join(", ")
    }

    fn leave(&mut self, place: usize) {
        let asked @ Asked { key, kind, .. } = self.asked[self.runs[place].number];
        self.floor.running.retain(|running| *running != place);
        self.floor.mailing -= usize::from(asked.mails());
        if let Some(of_kind) = self.floor.of_kind.get_mut(&(kind, key)) {
            *of_kind -= 1;
        }
        if let Some(of_key) = self.floor.of_key.get_mut(&key) {
            *of_key -= 1;
        }
    }

    fn look_for_room(&mut self, at: i64, started: bool) {
        let is_away = self.away.iter().any(|(from, to)| (*from..*to).contains(&at));
        let is_idle = !is_away && self.somebody_may_start(at);
        let floor = &mut self.floor;
        let (idle, stalled) = (floor.idle, floor.stalled_since);
        if let Some(since) = stalled.filter(|since| at - since > self.seen.longest_stall_us) {
            (self.seen.longest_stall_us, self.seen.stalled_at_us) = (at - since, since);
        }
        floor.idle = is_idle.then(|| idle.unwrap_or(IdleSpan::at(at)));
        floor.stalled_since = is_idle.then(|| stalled.filter(|_| !started).unwrap_or(at));
    }

    /// What has been so up to now.
    fn pass_time(&mut self, at: i64) {
        let (ran, changes) = (self.floor.running.len(), self.changes);
        let Some(idle) = &mut self.floor.idle else { return };
        idle.pass(at, ran, LimitChange::least(changes, idle.until).total);
        let longest = if idle.is_mostly_taken() {
            &mut self.seen.longest_idle_us
        } else {
            &mut self.seen.longest_slow_us
        };
        *longest = (*longest).max(at - idle.since);
    }

    /// By the least that the limits say at this moment.
    fn somebody_may_start(&self, at: i64) -> bool {
        let least = LimitChange::least(self.changes, at);
        let floor = &self.floor;
        floor.running.len() < least.total
            && floor.waiting.iter().any(|((key, mails), waiting)| {
                *waiting > 0
                    && floor.of_key.get(key).copied().unwrap_or_default() < least.per_key
                    && (!mails || floor.mailing < least.mails)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::change::AllowedRuns;

    fn change(asked_us: i64, done_us: i64, total: usize) -> LimitChange {
        LimitChange { asked_us, done_us, allowed: AllowedRuns { total, per_key: 1, mails: 9 } }
    }

    fn asked(key: usize, at_us: i64) -> Asked {
        Asked { key, kind: RunKind::Plain, at_us }
    }

    fn run(number: usize, from_us: i64, to_us: i64) -> ObservedRun {
        ObservedRun { number, is_first: true, claimed_us: from_us - 1, from_us, to_us }
    }

    #[test]
    fn too_many_at_once_are_seen_in_all_and_of_one_key() {
        let all = [asked(1, 0), asked(1, 0), asked(2, 0)];
        let seen = observe(&all, &[run(0, 10, 20), run(1, 20, 30), run(2, 12, 40)], &[change(0, 0, 2)], &[]);
        assert_eq!(seen.above, Vec::<String>::new());
        let seen = observe(&all, &[run(0, 10, 20), run(1, 19, 30), run(2, 12, 40)], &[change(0, 0, 2)], &[]);
        let run = "0 (1: 9, 10 to 20), 2 (2: 11, 12 to 40), 1 (1: 18, 19 to 30)";
        let above = [format!("3 of 2 in all at 19: {run}"), format!("2 of 1 of one key at 19: {run}")];
        assert_eq!(seen.above, above);
    }

    #[test]
    fn what_was_let_in_before_a_limit_was_lowered_goes_on() {
        let all = [asked(1, 0), asked(2, 0), asked(3, 0)];
        let changes = [change(0, 0, 2), change(14, 16, 1)];
        let runs = [run(0, 10, 50), run(1, 12, 60)];
        assert!(observe(&all, &runs, &changes, &[]).above.is_empty());
        let late = ObservedRun { claimed_us: 55, ..run(2, 57, 70) };
        assert!(
            observe(&all, &[runs[0], runs[1], late], &changes, &[]).above.is_empty(),
            "one was let in before"
        );
        let late = ObservedRun { claimed_us: 65, ..run(2, 66, 70) };
        let other = ObservedRun { claimed_us: 64, ..run(1, 65, 90) };
        assert_eq!(observe(&all, &[other, late], &changes, &[]).above.len(), 1);
    }

    #[test]
    fn room_that_nobody_took_is_seen_and_an_absent_database_is_forgiven() {
        let all = [asked(1, 0), asked(2, 0)];
        let changes = [change(0, 0, 2)];
        let runs = [run(0, 10, 30), run(1, 500, 510)];
        let seen = observe(&all, &runs, &changes, &[]);
        assert_eq!((seen.longest_slow_us, seen.longest_stall_us), (500, 490));
        let seen = observe(&all, &runs, &changes, &[(20, 450)]);
        assert_eq!((seen.longest_slow_us, seen.longest_stall_us), (50, 50));
        let full = [change(0, 0, 1)];
        assert_eq!(observe(&all, &[run(0, 10, 400), run(1, 410, 420)], &full, &[]).longest_stall_us, 10);
    }

    #[test]
    fn a_place_that_nobody_gives_out_is_told_from_a_machine_that_starts_no_more() {
        let all: Vec<Asked> = (0..5).map(|key| asked(key, 0)).collect();
        let changes = [change(0, 0, 2)];
        let in_a_row = |each: i64| (0..4).map(move |one| run(one, one as i64 * 100, one as i64 * 100 + each));
        let seen = observe(&all, &in_a_row(100).collect::<Vec<_>>(), &changes, &[]);
        assert_eq!(
            (seen.longest_idle_us, seen.longest_slow_us),
            (400, 0),
            "one of two places is never taken"
        );
        let seen = observe(&all, &in_a_row(20).collect::<Vec<_>>(), &changes, &[]);
        assert_eq!((seen.longest_idle_us, seen.longest_slow_us), (20, 320), "both mostly wait for a start");
    }
}
