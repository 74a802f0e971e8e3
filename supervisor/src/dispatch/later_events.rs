//! What is passed on a little at a time, so that it holds up nobody: lines for live views, and ends that come after lines of
//! their own.

use std::collections::{HashMap, VecDeque};

use muster_core::execution::Attempt;

use crate::executor::{EndedRun, LiveEvent, WaitingLive};

/// So many lines are shown, and then it is the turn of whatever else happened: about a third of a millisecond.
const TURN_LINES: usize = 256;

/// What waits for its turn.
#[derive(Debug)]
pub(super) enum LaterEvent {
    /// News for live views.
    Live(WaitingLive),
    /// The end of an attempt that has such news here.
    Finished(Box<EndedRun>),
}

impl LaterEvent {
    fn attempt(&self) -> Attempt {
        match self {
            Self::Live(live) => live.event().attempt(),
            Self::Finished(ended) => ended.attempt(),
        }
    }

    /// What it costs, in lines.
    fn lines(&self) -> usize {
        match self {
            Self::Finished(_) => 1,
            Self::Live(live) => match live.event() {
                LiveEvent::Logged(_, lines) => lines.len(),
                LiveEvent::Progressed(..) | LiveEvent::Changed(..) => 1,
            },
        }
    }
}

/// All that waits: of each attempt in the order in which it came, and the attempts in turns.
#[derive(Debug, Default)]
pub(super) struct LaterEvents {
    by_attempt: HashMap<Attempt, VecDeque<LaterEvent>>,
    /// Those that have something here, each once.
    turns: VecDeque<Attempt>,
}

impl LaterEvents {
    pub(super) fn push(&mut self, event: LaterEvent) {
        let attempt = event.attempt();
        let events = self.by_attempt.entry(attempt).or_default();
        if events.is_empty() {
            self.turns.push_back(attempt);
        }
        events.push_back(event);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Takes as much as one turn is for, and at least one: of one attempt after the other one event each.
    pub(super) fn take_turn(&mut self) -> impl Iterator<Item = LaterEvent> {
        let mut left = TURN_LINES;
        std::iter::from_fn(move || {
            let next = if left > 0 { self.next() } else { None };
            left = left.saturating_sub(next.as_ref().map_or(0, LaterEvent::lines));
            next
        })
    }

    fn next(&mut self) -> Option<LaterEvent> {
        let attempt = self.turns.pop_front()?;
        let events = self.by_attempt.get_mut(&attempt)?;
        let next = events.pop_front();
        if events.is_empty() {
            self.by_attempt.remove(&attempt);
        } else {
            self.turns.push_back(attempt);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use muster_core::execution::{LogLine, LogStream};
    use uuid::Uuid;

    use super::*;
    use crate::executor::{ExecutorEvent, FakeExecutor};

    fn line() -> LogLine {
        LogLine {
            sequence: 1,
            at_us: 0,
            level: "info".into(),
            stream: LogStream::Log,
            logger: String::new(),
            message: String::new(),
            fields: None,
        }
    }

    /// How many lines each turn shows of messages of these attempts with so many.
    async fn turns(messages: &[(u32, usize)]) -> Vec<Vec<(u32, usize)>> {
        let (executor, _handle, mut events) = FakeExecutor::start();
        for (attempt, count) in messages {
            executor.show(LiveEvent::Logged(Attempt::new(Uuid::nil(), *attempt), vec![line(); *count]));
        }
        let (mut taken, mut later) = (Vec::new(), LaterEvents::default());
        while taken.len() < messages.len() {
            events.take(&mut taken).await;
        }
        for event in taken {
            let ExecutorEvent::Live(live) = event else { panic!("{event:?}") };
            later.push(LaterEvent::Live(live));
        }
        let mut turns = Vec::new();
        while !later.is_empty() {
            turns.push(later.take_turn().map(|event| (event.attempt().number, event.lines())).collect());
        }
        turns
    }

    #[tokio::test]
    async fn many_lines_are_many_turns_and_a_few_are_one() {
        assert_eq!(turns(&[(1, 256), (1, 256)]).await, [[(1, 256)], [(1, 256)]]);
        assert_eq!(turns(&[(1, 1000), (1, 1)]).await, [[(1, 1000)], [(1, 1)]]);
        let short = turns(&[(1, 1); 300]).await;
        assert_eq!(short.iter().map(Vec::len).collect::<Vec<_>>(), [256, 44]);
        assert!(turns(&[]).await.is_empty());
    }

    #[tokio::test]
    async fn an_attempt_with_little_waits_for_one_message_of_another_and_not_for_all() {
        let turns = turns(&[(1, 200), (1, 200), (1, 200), (2, 1), (2, 1), (3, 256)]).await;
        assert_eq!(turns, [vec![(1, 200), (2, 1), (3, 256)], vec![(1, 200), (2, 1), (1, 200)]]);
    }
}
