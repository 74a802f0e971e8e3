//! What is passed on a little at a time, so that it holds up nobody: lines for live views, and ends that come after lines of
//! their own.

use std::collections::VecDeque;

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

/// All that waits, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct LaterEvents {
    events: VecDeque<LaterEvent>,
}

impl LaterEvents {
    pub(super) fn push(&mut self, event: LaterEvent) {
        self.events.push_back(event);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Takes as much as one turn is for, and at least one.
    pub(super) fn take_turn(&mut self) -> impl Iterator<Item = LaterEvent> {
        let mut left = TURN_LINES;
        std::iter::from_fn(move || {
            let next = if left > 0 { self.events.pop_front() } else { None };
            left = left.saturating_sub(next.as_ref().map_or(0, LaterEvent::lines));
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use muster_core::execution::{Attempt, LogLine, LogStream};
    use uuid::Uuid;

    use super::*;
    use crate::executor::{ExecutorEvent, FakeExecutor};

    fn line() -> LogLine {
        LogLine {
            sequence: 1,
            at_us: 0,
            level: "info".to_owned(),
            stream: LogStream::Log,
            logger: String::new(),
            message: String::new(),
            fields: None,
        }
    }

    /// How many lines each turn shows of messages with so many.
    async fn turns(messages: &[usize]) -> Vec<usize> {
        let (executor, _handle, mut events) = FakeExecutor::start();
        for count in messages {
            executor.show(LiveEvent::Logged(Attempt::new(Uuid::nil(), 1), vec![line(); *count]));
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
            turns.push(later.take_turn().map(|event| event.lines()).sum());
        }
        turns
    }

    #[tokio::test]
    async fn many_lines_are_many_turns_and_a_few_are_one() {
        assert_eq!(turns(&[256, 256, 256]).await, [256; 3]);
        assert_eq!(turns(&[1000, 1]).await, [1000, 1]);
        assert_eq!(turns(&[1; 300]).await, [256, 44]);
        assert_eq!(turns(&[]).await, [0; 0]);
    }
}
