//! What the executor tells the rest of the supervisor: one channel, in the order in which it happened.
//!
//! Ends are never dropped, and the slots bound how many there can be. Live views are: while more of them wait than
//! fit in memory, the next ones are left out, because nobody may hold up the executor's thread and the whole log
//! comes with the outcome. A run has a share of its own in what waits, until that is shown, and of its progress only the
//! latest is told.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use muster_core::execution::{Attempt, EndKind};
use muster_core::pool::WorkerId;
use muster_system::vital;
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use super::live::{LiveEvent, LiveRoom, RunProgress, WaitingLive};
use super::run::EndedRun;

/// So many are taken off the channel at once, and what was told together with the last of them.
const EVENTS_AT_ONCE: usize = 256;

/// What nobody waits for goes with what comes next, or alone after so long.
const HOLD: Duration = Duration::from_millis(2);

/// Something that happened, or that a run asks for.
#[derive(Debug)]
pub enum ExecutorEvent {
    /// An attempt may have entered user code.
    Started {
        /// The attempt that started.
        attempt: Attempt,
        /// The worker that runs it.
        worker: WorkerId,
        /// When Started was read, in microseconds since the Unix epoch.
        at_us: i64,
    },
    /// News that only live views need.
    Live(WaitingLive),
    /// The attempt is over, or goes back.
    Finished(Box<EndedRun>),
    /// A run asks for the committed value of a key, as JSON text.
    ReadState(StateQuestion),
    /// A process is Ready, this long after it was asked for.
    WorkerReady {
        /// How it came into being.
        origin: WorkerOrigin,
        /// From the decision to start it to its Ready.
        took: Duration,
    },
    /// A template failed: until another one stands workers start without.
    TemplateFailed,
    /// A worker could not be started.
    StartFailed {
        /// How many starts failed in a row.
        consecutive: u32,
        /// What went wrong, for a person.
        message: String,
    },
    /// A worker died, and nobody had wanted it to.
    WorkerDied {
        /// What of.
        kind: EndKind,
    },
    /// A worker started after some could not be.
    StartsRecovered,
}

/// How a process came into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerOrigin {
    /// Its template made it by a fork.
    Fork,
    /// It was started, and has loaded everything itself.
    Process,
    /// The same, and it makes workers from now on.
    Template,
}

impl WorkerOrigin {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fork, Self::Process, Self::Template];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Process => "process",
            Self::Template => "template",
        }
    }
}

/// The committed value of a key is wanted.
#[derive(Debug)]
pub struct StateQuestion {
    /// Whose state; `None` is the global one.
    pub organization: Option<Uuid>,
    /// The key within that scope.
    pub key: String,
    /// Where the answer goes. Without one the run is told that its state is out of reach.
    pub answer: oneshot::Sender<Result<Option<String>, String>>,
}

/// A channel, from the executor to whoever passes on what it tells.
pub(super) fn channel() -> (EventSender, ExecutorEvents) {
    let (events, received) = mpsc::unbounded_channel();
    let room = LiveRoom::default();
    let sender = EventSender {
        events,
        room: room.clone(),
        held: RefCell::default(),
        progress: RefCell::default(),
        holds: Notify::new(),
    };
    (sender, ExecutorEvents { events: received, room })
}

/// What is told with what comes next.
#[derive(Debug, Default)]
struct HeldEvents {
    events: Vec<ExecutorEvent>,
    /// How many of them are ends.
    ends: usize,
}

/// The executor's end of the channel. Nothing here waits. What is told together is one message: whoever is woken by the first of
/// many, on the processor of this thread, would take that one alone and have to be woken for each.
#[derive(Debug)]
pub(super) struct EventSender {
    events: mpsc::UnboundedSender<Vec<ExecutorEvent>>,
    room: LiveRoom,
    /// What goes with the next.
    held: RefCell<HeldEvents>,
    /// How far runs are, since it was told last.
    progress: RefCell<HashMap<Attempt, RunProgress>>,
    /// Notified when something is held.
    holds: Notify,
}

impl EventSender {
    /// Tells it, after what is held.
    pub(super) fn tell(&self, event: ExecutorEvent) {
        self.tell_all(Some(event));
    }

    /// Tells it with what comes next, in a moment at the latest: to wake another thread for each start of a short run
    /// would cost as much as the run.
    pub(super) fn tell_soon(&self, event: ExecutorEvent) {
        self.hold(event, 0);
    }

    /// Tells of an end. While attempts wait for a worker it has time: nobody is short of work, and to wake another thread
    /// for each end would cost as much as a short run. So the end of a lone run is told at once, and of those with a
    /// backlog no more are held than wait, which leaves whoever fills it the time of the other half.
    pub(super) fn tell_end(&self, ended: EndedRun, waiting: usize) {
        self.hold(ExecutorEvent::Finished(Box::new(ended)), 1);
        if self.held.borrow().ends > waiting {
            self.tell_held();
        }
    }

    fn hold(&self, event: ExecutorEvent, ends: usize) {
        let mut held = self.held.borrow_mut();
        if held.events.is_empty() {
            self.holds.notify_one();
        }
        held.events.push(event);
        held.ends += ends;
    }

    /// Tells what was held for long enough, for ever.
    pub(super) async fn keep_telling(&self) {
        loop {
            self.holds.notified().await;
            tokio::time::sleep(HOLD).await;
            self.tell_held();
        }
    }

    /// Tells what is held.
    pub(super) fn tell_held(&self) {
        self.tell_all(None);
    }

    /// Tells what is held, how far runs are, and what happened now.
    fn tell_all(&self, last: Option<ExecutorEvent>) {
        let mut events = self.held.take().events;
        for (attempt, progress) in self.progress.borrow_mut().drain() {
            events.extend(self.room.admit(LiveEvent::Progressed(attempt, progress)).map(ExecutorEvent::Live));
        }
        events.extend(last);
        if !events.is_empty() && self.events.send(events).is_err() {
            vital::is_gone("reporter");
        }
    }

    /// Tells how far a run is, in a moment: the latest of it.
    pub(super) fn tell_progress(&self, attempt: Attempt, progress: RunProgress) {
        self.progress.borrow_mut().insert(attempt, progress);
        self.holds.notify_one();
    }

    /// Tells what only live views need, unless too much that is to be shown waits already.
    pub(super) fn tell_live(&self, live: LiveEvent) {
        if let Some(waiting) = self.room.admit(live) {
            self.tell(ExecutorEvent::Live(waiting));
        }
    }
}

/// Receives what the executor tells, in its order.
#[derive(Debug)]
pub struct ExecutorEvents {
    events: mpsc::UnboundedReceiver<Vec<ExecutorEvent>>,
    room: LiveRoom,
}

impl ExecutorEvents {
    /// Takes what there is, in order, and waits for the first. Nothing is taken once the executor is gone.
    pub async fn take(&mut self, into: &mut Vec<ExecutorEvent>) -> usize {
        let before = into.len();
        into.extend(self.events.recv().await.unwrap_or_default());
        while into.len() - before < EVENTS_AT_ONCE
            && let Ok(more) = self.events.try_recv()
        {
            into.extend(more);
        }
        into.len() - before
    }

    /// True while something of this attempt waits to be shown: taken or not, it is not dropped.
    pub fn is_shown_later(&self, attempt: Attempt) -> bool {
        self.room.holds(attempt)
    }
}

#[cfg(test)]
mod tests {
    use muster_core::execution::{LogLine, RunEnding};

    use super::*;
    use crate::fake::ended;
    use crate::run_spec::samples::any_spec;

    fn attempt(number: u32) -> Attempt {
        Attempt::new(Uuid::nil(), number)
    }

    fn logged(attempt: Attempt, bytes: usize) -> LiveEvent {
        let line = LogLine {
            sequence: 1,
            at_us: 0,
            level: "info".into(),
            stream: muster_core::execution::LogStream::Stderr,
            logger: String::new(),
            message: "x".repeat(bytes),
            fields: None,
        };
        LiveEvent::Logged(attempt, vec![line])
    }

    fn live(taken: &[ExecutorEvent], of: Attempt) -> usize {
        let is_of = |event: &&ExecutorEvent| matches!(event, ExecutorEvent::Live(live) if live.event().attempt() == of);
        taken.iter().filter(is_of).count()
    }

    #[tokio::test]
    async fn a_run_that_shows_much_stands_in_the_way_of_no_other() {
        let (sender, mut events) = channel();
        for current in 0..100_000 {
            sender.tell_live(logged(attempt(1), 1000));
            sender.tell_progress(attempt(1), RunProgress { current, ..RunProgress::default() });
        }
        sender.tell_live(logged(attempt(2), 1000));
        sender.tell(ExecutorEvent::StartsRecovered);
        let mut taken = Vec::new();
        while !matches!(taken.last(), Some(ExecutorEvent::StartsRecovered)) {
            events.take(&mut taken).await;
        }
        assert!(live(&taken, attempt(1)) < 5_000, "{}", live(&taken, attempt(1)));
        assert_eq!(live(&taken, attempt(2)), 1);
    }

    #[tokio::test]
    async fn of_progress_the_latest_is_told_and_before_the_end() {
        let (sender, mut events) = channel();
        for current in 0..1000 {
            sender.tell_progress(attempt(1), RunProgress { current, ..RunProgress::default() });
        }
        sender.tell(ExecutorEvent::StartsRecovered);
        let mut taken = Vec::new();
        events.take(&mut taken).await;
        let [ExecutorEvent::Live(live), ExecutorEvent::StartsRecovered] = &taken[..] else {
            panic!("{taken:?}")
        };
        let LiveEvent::Progressed(_, latest) = live.event() else { panic!("{live:?}") };
        assert_eq!(latest.current, 999);
    }

    #[tokio::test]
    async fn what_is_held_goes_before_the_next_and_in_a_moment_without_one() {
        let (sender, mut events) = channel();
        let started = |number| {
            let attempt = Attempt::new(Uuid::nil(), number);
            ExecutorEvent::Started { attempt, worker: WorkerId(1), at_us: 0 }
        };
        let mut taken = Vec::new();
        sender.tell_soon(started(1));
        assert!(events.events.is_empty(), "nobody is woken for it");
        sender.tell(ExecutorEvent::StartsRecovered);
        events.take(&mut taken).await;
        assert!(
            matches!(taken[..], [ExecutorEvent::Started { .. }, ExecutorEvent::StartsRecovered]),
            "{taken:?}"
        );
        sender.tell_soon(started(2));
        taken.clear();
        tokio::select! {
            () = sender.keep_telling() => {}
            taken = events.take(&mut taken) => assert_eq!(taken, 1),
        }
    }

    #[tokio::test]
    async fn an_end_waits_for_others_only_while_more_attempts_wait_for_a_worker() {
        let (sender, mut events) = channel();
        let tell_end = |waiting| sender.tell_end(ended(any_spec(), RunEnding::Superseded), waiting);
        let mut taken = Vec::new();
        tell_end(0);
        assert_eq!(events.take(&mut taken).await, 1, "a lone run is answered at once");
        tell_end(3);
        tell_end(2);
        assert!(events.events.is_empty(), "two are held, two wait");
        tell_end(2);
        assert_eq!(events.take(&mut taken).await, 3);
        tell_end(100);
        tokio::select! {
            () = sender.keep_telling() => {}
            taken = events.take(&mut taken) => assert_eq!(taken, 1, "no longer than a moment"),
        }
    }

    #[tokio::test]
    async fn live_views_are_left_out_while_too_much_waits_and_ends_never_are() {
        let (sender, mut events) = channel();
        for number in 0..40 {
            sender.tell_live(logged(attempt(number), 1 << 20));
            sender.tell(ExecutorEvent::StartsRecovered);
        }
        let mut taken = Vec::new();
        events.take(&mut taken).await;
        let shown = taken.iter().filter(|event| matches!(event, ExecutorEvent::Live(_))).count();
        assert_eq!((shown, taken.len()), (16, 40 + 16));
        sender.tell_live(logged(attempt(1), 1));
        drop(sender);
        assert_eq!(events.take(&mut taken).await, 0, "what is taken and not shown takes room");
        assert!(events.is_shown_later(attempt(1)));
    }

    #[tokio::test]
    async fn what_was_shown_makes_room() {
        let (sender, mut events) = channel();
        let mut taken = Vec::new();
        for number in 0..40 {
            sender.tell_live(logged(attempt(number), 1 << 20));
        }
        while events.is_shown_later(attempt(15)) {
            taken.clear();
            events.take(&mut taken).await;
            taken.clear();
        }
        sender.tell_live(logged(attempt(1), 1));
        assert_eq!(events.take(&mut taken).await, 1, "there is room again");
        drop(sender);
        assert_eq!(events.take(&mut taken).await, 0);
    }
}
