//! An executor without a thread and without workers: a test hears what it is asked, and says what happens.

use std::collections::VecDeque;
use std::time::Duration;

use muster_core::execution::{Attempt, RunEnding};
use muster_core::pool::RunFinish;
use muster_protocol::CancelReason;
use tokio::sync::mpsc;

use super::clock::unix_us;
use super::events::{self, EventSender, ExecutorEvent, ExecutorEvents};
use super::handle::{ExecutorCommand, ExecutorHandle};
use super::live::LiveEvent;
use super::run::{EndedRun, ExecutorRun};
use super::run_spec::RunSpec;

const WITHIN: Duration = Duration::from_secs(20);

/// The far end of an [`ExecutorHandle`], and the near end of its [`ExecutorEvents`].
#[derive(Debug)]
pub struct FakeExecutor {
    commands: mpsc::UnboundedReceiver<ExecutorCommand>,
    /// What was handed over together, and not looked at yet.
    submitted: VecDeque<RunSpec>,
    events: EventSender,
}

impl FakeExecutor {
    /// Both channels, and the executor between them.
    pub fn start() -> (Self, ExecutorHandle, ExecutorEvents) {
        let (commands, received) = mpsc::unbounded_channel();
        let (events, told) = events::channel();
        (Self { commands: received, submitted: VecDeque::new(), events }, ExecutorHandle { commands }, told)
    }

    /// The next command is an attempt to be run: this one.
    pub async fn submitted(&mut self) -> RunSpec {
        if self.submitted.is_empty() {
            let next = self.next().await;
            let ExecutorCommand::Submit(specs) = next else {
                panic!("asked for something else than a run: {next:?}")
            };
            self.submitted.extend(specs);
        }
        self.submitted.pop_front().unwrap_or_else(|| panic!("asked for no run at all"))
    }

    /// The next command is a cancel: of this attempt, for this reason.
    pub async fn cancelled(&mut self) -> (Attempt, CancelReason) {
        let next = self.next().await;
        let ExecutorCommand::Cancel { attempt, reason, .. } = next else {
            panic!("asked for something else than a cancel: {next:?}")
        };
        (attempt, reason)
    }

    /// The next command is to start nothing more.
    pub async fn halted(&mut self) {
        let next = self.next().await;
        assert!(matches!(next, ExecutorCommand::Halt), "asked for something else than a halt: {next:?}");
    }

    /// It was asked for nothing that has not been looked at.
    pub fn is_idle(&mut self) -> bool {
        self.submitted.is_empty() && self.commands.is_empty()
    }

    /// Tells what happened.
    pub fn tell(&self, event: ExecutorEvent) {
        self.events.tell(event);
    }

    /// Tells what only live views need.
    pub fn show(&self, live: LiveEvent) {
        self.events.tell_live(live);
    }

    /// Tells that an attempt is over.
    pub fn finish(&self, spec: RunSpec, ending: RunEnding) {
        self.tell(ExecutorEvent::Finished(Box::new(ended(spec, ending))));
    }

    async fn next(&mut self) -> ExecutorCommand {
        assert!(self.submitted.is_empty(), "asked for runs that were not looked at: {:?}", self.submitted);
        let asked = tokio::time::timeout(WITHIN, self.commands.recv()).await;
        match asked {
            Ok(Some(command)) => command,
            Ok(None) => panic!("the handle is gone"),
            Err(_) => panic!("the executor was asked for nothing"),
        }
    }
}

/// An attempt that is over.
pub(super) fn ended(spec: RunSpec, ending: RunEnding) -> EndedRun {
    let attempt = spec.attempt;
    let finish = RunFinish {
        attempt,
        ending,
        worker: None,
        duration: None,
        observed: None,
        metrics: None,
        end_cause: None,
    };
    let mut run = ExecutorRun::new(spec);
    run.started(unix_us(), "a fake");
    run.end(finish)
}
