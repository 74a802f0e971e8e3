//! What each message of a worker leads to.

use std::rc::Rc;
use std::sync::Arc;

use muster_core::execution::{Attempt, LogLine};
use muster_core::pool::{WorkerEvent, WorkerFeatures};
use muster_protocol::wire::WholeMessage;
use muster_protocol::{CallResult, ErrorInfo, LogLevel, ToSupervisor, ToWorker, feature};
use tokio::sync::oneshot;

use super::calls::{self, Question};
use super::events::{ExecutorEvent, StateQuestion};
use super::link::AnnouncedIdentity;
use super::live::RunProgress;
use super::news::{ReadyNews, WorkerNews};
use super::reader::WorkerReader;
use super::run::CallAnswer;
use crate::descriptions::DescribedSet;

impl WorkerReader {
    /// Takes a message. `more_follows` tells that bytes of a next one are at hand already.
    pub(super) fn on_news(&mut self, whole: &WholeMessage, news: WorkerNews, more_follows: bool) {
        let WorkerNews { message, ready } = news;
        self.record(whole, &message);
        match ready {
            ReadyNews::Logged { run, lines } => self.log(run, lines),
            ReadyNews::Remarked { run, line } => self.remark(run, line),
            ReadyNews::Progressed { run, progress } => self.progress(run, progress),
            ReadyNews::Asked { run, call, question } => self.call(run, call, question),
            ReadyNews::Described { set, problems } => self.described(set, problems),
            ReadyNews::AsItCame => self.on_message(message, more_follows),
        }
    }

    fn on_message(&mut self, message: ToSupervisor, more_follows: bool) {
        match message {
            ToSupervisor::Hello {
                protocol_min,
                protocol_max,
                implementation,
                implementation_version,
                language,
                features,
                pid,
            } => {
                let workflows = Vec::new();
                *self.link.identity.borrow_mut() = Arc::new(AnnouncedIdentity {
                    implementation,
                    implementation_version,
                    language,
                    workflows,
                });
                self.announced(pid);
                let features = known_features(&features);
                self.send_event(WorkerEvent::Hello { protocol_min, protocol_max, features });
            }
            ToSupervisor::Ready { workflows } => {
                // What was made while user code was loaded stays as long as that does.
                if let Some(folder) = self.link.belongings().temporary {
                    folder.keep_what_is_there();
                }
                Arc::make_mut(&mut self.link.identity.borrow_mut()).workflows = workflows;
                let described = self.link.ready();
                match self.link.template.borrow().as_ref() {
                    // A template runs nothing: what it said counts with the first worker of it that is Ready,
                    Some(desk) if self.link.features.get().template => desk.describe(described),
                    // before that may be given anything.
                    _ => self.engine.descriptions.ready(self.link.generation, described),
                }
                let (origin, took) = self.link.birth();
                self.engine.events.tell_soon(ExecutorEvent::WorkerReady { origin, took });
                self.send_event(WorkerEvent::Ready);
            }
            ToSupervisor::InitFailed { error } => self.send_event(WorkerEvent::InitFailed { error }),
            ToSupervisor::Started { run } => self.send_event(WorkerEvent::Started { run }),
            ToSupervisor::Finished { run, outcome, metrics, log_records } => {
                self.check_records(run, log_records);
                // What the run printed is in the pipe by now. When Idle is at hand too, once is enough.
                if !more_follows {
                    self.drain_stderr();
                }
                self.send_event(WorkerEvent::Finished { run, outcome, metrics });
            }
            ToSupervisor::Idle { run, rss_bytes, recycle } => {
                self.drain_stderr();
                self.end_stderr_line();
                self.lines.forget_tail();
                self.finish_descendants(run, rss_bytes, recycle);
            }
            // A Pong shows that the worker's frames flow; it is no reason to do anything.
            ToSupervisor::Pong { nonce: _ } => {}
            ToSupervisor::Goodbye { reason } => self.send_event(WorkerEvent::Goodbye { reason }),
            ToSupervisor::Forked { worker_id, pid, recycle } => self.forked(&worker_id, pid, recycle),
            ToSupervisor::Exited { pid, status } => self.child_exited(pid, status),
            ToSupervisor::ForkFailed { worker_id, message } => self.fork_failed(&worker_id, message),
            // Made into something else, and taken as that.
            ToSupervisor::Log { .. }
            | ToSupervisor::Progress { .. }
            | ToSupervisor::Call { .. }
            | ToSupervisor::Stacks { .. }
            | ToSupervisor::Describe { .. } => {}
        }
    }

    /// Keeps what it described: until it is Ready with the worker, then with the pool.
    fn described(&self, set: DescribedSet, mut problems: Vec<String>) {
        if !self.link.features.get().describe {
            return;
        }
        if let Some(set) = self.link.describe_before_ready(set, &mut problems) {
            problems.extend(self.engine.descriptions.add(self.link.generation, set));
            self.describe_run();
        }
        for problem in problems {
            tracing::warn!(worker = %self.link.id, problem, "worker's description of its workflows");
        }
    }

    /// A worker that loaded changed code for its run describes it before the end: that is how it is tried again.
    fn describe_run(&self) {
        let Some((_, attempt)) = self.link.run.get() else { return };
        let mut state = self.engine.state.borrow_mut();
        if let Some(run) = state.run_mut(attempt) {
            run.described = self.engine.descriptions.of(&run.spec.workflow, &run.spec.source);
        }
    }

    /// Keeps a frame of the run it is about, for a transcript.
    fn record(&self, whole: &WholeMessage, message: &ToSupervisor) {
        let Some(attempt) = run_of(message).and_then(|run| self.link.attempt_of(run)) else { return };
        let mut state = self.engine.state.borrow_mut();
        if let Some(recording) = state.run_mut(attempt).and_then(|run| run.recording.as_mut()) {
            recording.received(whole, message);
        }
    }

    pub(super) fn send_event(&self, event: WorkerEvent) {
        self.engine.worker(self.link.id, event);
    }

    fn progress(&self, run: u32, progress: RunProgress) {
        let Some(attempt) = self.link.attempt_of(run) else { return };
        self.engine.events.tell_progress(attempt, progress);
    }

    fn remark(&self, run: u32, line: LogLine) {
        let Some(attempt) = self.link.attempt_of(run) else { return };
        let mut state = self.engine.state.borrow_mut();
        let Some(run) = state.run_mut(attempt) else { return };
        self.engine.log(run, [line]);
    }

    fn log(&mut self, run: u32, lines: Vec<LogLine>) {
        let Some(attempt) = self.link.attempt_of(run) else {
            return self.late.recorded(self.link.id, run, &self.link.known_runs.borrow(), &lines);
        };
        let mut state = self.engine.state.borrow_mut();
        let Some(run) = state.run_mut(attempt) else { return };
        run.logs.records += lines.len() as u64;
        self.engine.log(run, lines);
    }

    /// Says so in the log when records were lost on the way.
    fn check_records(&self, run: u32, sent: u64) {
        let Some(attempt) = self.link.attempt_of(run) else { return };
        let received = self.engine.state.borrow_mut().run_mut(attempt).map_or(0, |run| run.logs.records);
        if sent > received {
            let message = format!("{} of {sent} log records never arrived from the worker", sent - received);
            self.engine.remark(attempt, LogLevel::Warn, message);
        }
    }

    fn call(&self, run: u32, call: u32, question: Result<Question, ErrorInfo>) {
        let known = self.link.attempt_of(run);
        let mut state = self.engine.state.borrow_mut();
        let held = known.and_then(|attempt| Some((attempt, state.run_mut(attempt)?)));
        let answer = match held {
            Some((attempt, run_state)) => match calls::answer(run_state, question) {
                CallAnswer::Now(result) => result,
                CallAnswer::Changed(result, change) => {
                    self.engine.show_change(run_state, change);
                    result
                }
                CallAnswer::ReadState { key } => {
                    run_state.calls_in_flight += 1;
                    let organization = run_state.spec.organization_id;
                    drop(state);
                    return self.read_state(attempt, run, call, organization, key);
                }
            },
            None => CallResult::Err { error: ErrorInfo::new("RunEnded", format!("run {run} is over")) },
        };
        self.engine.send_in_run(&mut state, self.link.id, &ToWorker::Reply { run, call, result: answer });
    }

    fn read_state(
        &self,
        attempt: Attempt,
        run: u32,
        call: u32,
        organization: Option<uuid::Uuid>,
        key: String,
    ) {
        let (answer, answered) = oneshot::channel();
        self.engine.events.tell(ExecutorEvent::ReadState(StateQuestion { organization, key, answer }));
        let (engine, worker) = (Rc::clone(&self.engine), self.link.id);
        tokio::task::spawn_local(async move {
            let read = answered.await.unwrap_or_else(|_| Err("the supervisor leaves".to_owned()));
            let result = match read {
                Ok(text) => calls::value_of(text),
                Err(message) => CallResult::Err { error: ErrorInfo::new("StateUnavailable", message) },
            };
            let mut state = engine.state.borrow_mut();
            if let Some(run) = state.run_mut(attempt) {
                run.calls_in_flight = run.calls_in_flight.saturating_sub(1);
            }
            // The run may be over, and its worker in another one: a reply is only for who asked.
            let asked = state.links.get(&worker).is_some_and(|link| link.attempt_of(run) == Some(attempt));
            if asked {
                engine.send_in_run(&mut state, worker, &ToWorker::Reply { run, call, result });
            }
        });
    }
}

/// The run a message is part of. Idle comes when it is over.
fn run_of(message: &ToSupervisor) -> Option<u32> {
    match message {
        ToSupervisor::Started { run }
        | ToSupervisor::Log { run, .. }
        | ToSupervisor::Progress { run, .. }
        | ToSupervisor::Call { run, .. }
        | ToSupervisor::Finished { run, .. }
        | ToSupervisor::Stacks { run, .. } => Some(*run),
        ToSupervisor::Hello { .. }
        | ToSupervisor::Ready { .. }
        | ToSupervisor::InitFailed { .. }
        | ToSupervisor::Idle { .. }
        | ToSupervisor::Pong { .. }
        | ToSupervisor::Describe { .. }
        | ToSupervisor::Forked { .. }
        | ToSupervisor::Exited { .. }
        | ToSupervisor::ForkFailed { .. }
        | ToSupervisor::Goodbye { .. } => None,
    }
}

fn known_features(names: &[String]) -> WorkerFeatures {
    let has = |name: &str| names.iter().any(|known| known == name);
    WorkerFeatures {
        log: has(feature::LOG),
        progress: has(feature::PROGRESS),
        call: has(feature::CALL),
        cancel: has(feature::CANCEL),
        ping: has(feature::PING),
        drain: has(feature::DRAIN),
        dump: has(feature::DUMP),
        template: has(feature::TEMPLATE),
        describe: has(feature::DESCRIBE),
    }
}
