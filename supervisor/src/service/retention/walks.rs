//! Where the walks over what ended are, and which of them takes the next step. Pure: it is told the time.
//!
//! A walk goes on from where it was: what it has passed by, because it is kept for longer or was not published yet, it does not
//! look at again until it begins anew, which it does so often that nothing stays much longer than it should.

use std::time::Duration;

use muster_store::{Cursor, PruneScope, PruneStep};

use super::rules::PruneWalk;

/// How often is looked at least for what may go, once all of it is gone.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often at most.
const LOOK_MIN: Duration = Duration::from_secs(1);
/// A workflow's own are looked for at least so often.
const LOOK_OF_WORKFLOW_MAX: Duration = Duration::from_secs(600);
/// A walk begins anew at least so often.
const ANEW_MAX: Duration = Duration::from_secs(3_600);
/// The part of its time that an execution may stay longer, because its walk has passed it by.
const ANEW_PART: u32 = 20;
/// The part of its time that an execution may stay longer, because its workflow was not looked at.
const LOOK_PART: u32 = 200;

/// The walks. Times are counted from any moment.
#[derive(Debug, Default)]
pub(super) struct WalkBook {
    walks: Vec<WalkState>,
}

#[derive(Debug)]
struct WalkState {
    walk: PruneWalk,
    /// The last that was looked at.
    behind: Option<Cursor>,
    /// When it began anew.
    begun: Duration,
    /// When it goes on.
    due: Duration,
}

impl WalkBook {
    /// These walks and no others, each from its beginning on.
    pub(super) fn begin(&mut self, walks: Vec<PruneWalk>, now: Duration) {
        let begin = |walk| WalkState { walk, behind: None, begun: now, due: now };
        self.walks = walks.into_iter().map(begin).collect();
    }

    /// The walk that takes the next step, by its number, and the place behind which it looks.
    pub(super) fn next(&mut self, now: Duration) -> Option<(usize, PruneWalk, Option<Cursor>)> {
        let due = self.walks.iter_mut().enumerate().filter(|(_, state)| state.due <= now);
        let (number, state) = due.min_by_key(|(_, state)| state.due)?;
        if now.saturating_sub(state.begun) >= (state.walk.kept / ANEW_PART).clamp(LOOK_MIN, ANEW_MAX) {
            (state.behind, state.begun) = (None, now);
        }
        Some((number, state.walk.clone(), state.behind))
    }

    /// What the step of a walk came to.
    pub(super) fn stepped(&mut self, number: usize, step: &PruneStep, now: Duration) {
        let Some(state) = self.walks.get_mut(number) else { return };
        state.due = match step {
            PruneStep::NotOurTurn => now + LOOK_EVERY,
            PruneStep::Looked { last, is_end, .. } => {
                state.behind = last.or(state.behind);
                if *is_end { now + pause(&state.walk) } else { now }
            }
        };
    }

    /// How long until one of them is due.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let first = self.walks.iter().map(|state| state.due).min();
        first.map_or(LOOK_EVERY, |due| due.saturating_sub(now)).min(LOOK_EVERY)
    }
}

/// How long a walk rests that has come to its end.
fn pause(walk: &PruneWalk) -> Duration {
    match walk.scope {
        PruneScope::Everything => (walk.kept / LOOK_PART).clamp(LOOK_MIN, LOOK_EVERY),
        PruneScope::Workflow(_) | PruneScope::Nameless => {
            (walk.kept / LOOK_PART).clamp(LOOK_MIN, LOOK_OF_WORKFLOW_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use muster_core::execution::Status;
    use muster_store::PrunedRows;
    use uuid::Uuid;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn walk(scope: PruneScope, kept: Duration) -> PruneWalk {
        PruneWalk { status: Status::Success, scope, kept }
    }

    fn of(name: &str) -> PruneScope {
        PruneScope::Workflow(name.to_owned())
    }

    fn looked(place: u128, is_end: bool) -> PruneStep {
        let last = Some(cursor(place));
        PruneStep::Looked { rows: PrunedRows::default(), last, is_end }
    }

    fn cursor(place: u128) -> Cursor {
        Cursor { created_at: Timestamp::UNIX_EPOCH, id: Uuid::from_u128(place) }
    }

    #[test]
    fn walks_take_turns_and_each_goes_on_from_where_it_was() {
        let mut book = WalkBook::default();
        assert!(book.next(seconds(0)).is_none() && book.wait(seconds(0)) == LOOK_EVERY);
        book.begin(vec![walk(PruneScope::Everything, 30 * DAY), walk(of("beat"), DAY)], seconds(1));
        let (first, _, behind) = book.next(seconds(1)).unwrap();
        assert_eq!((first, behind), (0, None));
        book.stepped(first, &looked(7, false), seconds(2));
        let (second, ..) = book.next(seconds(2)).unwrap();
        assert_eq!(second, 1);
        book.stepped(second, &looked(9, true), seconds(3));
        let (third, _, behind) = book.next(seconds(3)).unwrap();
        assert_eq!((third, behind), (0, Some(cursor(7))));
        book.stepped(third, &PruneStep::NotOurTurn, seconds(3));
        assert!(book.next(seconds(4)).is_none());
        assert_eq!(book.wait(seconds(4)), seconds(29));
        assert_eq!(book.next(seconds(33)).unwrap().2, Some(cursor(7)), "nothing was looked at");
        // A step that found nothing stays where it is.
        book.stepped(
            0,
            &PruneStep::Looked { rows: PrunedRows::default(), last: None, is_end: true },
            seconds(33),
        );
        assert_eq!(book.next(seconds(63)).unwrap().2, Some(cursor(7)));
    }

    #[test]
    fn what_was_passed_by_is_looked_at_again_after_a_part_of_its_time() {
        for (kept, anew) in [(DAY, 3_600), (seconds(6_000), 300), (seconds(60), 3)] {
            let mut book = WalkBook::default();
            book.begin(vec![walk(PruneScope::Everything, kept)], seconds(0));
            for (at, behind) in [(0, None), (anew - 1, Some(cursor(5))), (anew, None)] {
                let next = book.next(seconds(at)).unwrap();
                assert_eq!(next.2, behind, "kept for {kept:?}, after {at} s");
                book.stepped(0, &looked(5, false), seconds(at));
            }
        }
    }

    #[test]
    fn many_workflows_with_a_time_of_their_own_are_looked_at_seldom() {
        let pause_of = |scope, kept| {
            let mut book = WalkBook::default();
            book.begin(vec![walk(scope, kept)], seconds(0));
            book.stepped(0, &looked(1, true), seconds(0));
            book.walks[0].due
        };
        assert_eq!(pause_of(PruneScope::Everything, 30 * DAY), LOOK_EVERY);
        assert_eq!(pause_of(of("w"), 30 * DAY), seconds(600));
        assert_eq!(pause_of(of("w"), DAY), seconds(432));
        assert_eq!(pause_of(PruneScope::Nameless, seconds(60)), LOOK_MIN);
        assert_eq!(pause_of(PruneScope::Everything, seconds(600)), seconds(3));
    }
}
