//! A supervisor for tests: it starts the real `worker` binary and talks to it in frames or lines.
//!
//! The wire is the one that the supervisor's own peer has ([`Conversation`]); the process around it is the test's, because
//! a worker's tests must not need a supervisor.
#![expect(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects")]
#![expect(clippy::disallowed_methods, reason = "a test starts the worker without a supervisor")]

pub mod seen;
pub mod start;

use std::cell::RefCell;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Conversation, Incoming};
use muster_protocol::{CallResult, CancelReason, CodeSource, JsonBytes, RunOutcome, ToSupervisor, ToWorker};
use serde_json::{Value, json};

use seen::Seen;

/// Nothing in these tests takes longer; whatever does hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Peer {
    pub child: Child,
    input: Option<ChildStdin>,
    /// What was read from its stdout; gone at the end of it.
    chunks: Receiver<Vec<u8>>,
    conversation: RefCell<Conversation>,
    pub stderr: Arc<Mutex<String>>,
    next_run: u32,
    pub workflows: Vec<String>,
}

impl Peer {
    pub fn send(&mut self, message: &ToWorker) {
        self.send_together(std::slice::from_ref(message));
    }

    /// Writes several messages at once, so that the worker reads them at once.
    pub fn send_together(&mut self, messages: &[ToWorker]) {
        let mut bytes = Vec::new();
        for message in messages {
            self.conversation.borrow().say(message, &mut bytes).unwrap();
        }
        self.input.as_mut().expect("stdin is open").write_all(&bytes).unwrap();
    }

    pub fn close(&mut self) {
        self.input = None;
    }

    pub fn next(&self) -> ToSupervisor {
        self.next_or_end().unwrap_or_else(|| panic!("the worker is gone; stderr:\n{}", self.stderr()))
    }

    /// The next message, or `None` once the worker has closed its end.
    pub fn next_or_end(&self) -> Option<ToSupervisor> {
        let deadline = Instant::now() + PATIENCE;
        let mut conversation = self.conversation.borrow_mut();
        loop {
            match conversation.hear() {
                // May come at any time, so nobody waits for it.
                Ok(Some(Incoming::Message(Decoded::Message(ToSupervisor::Describe { .. })))) => continue,
                Ok(Some(Incoming::Message(Decoded::Message(message)))) => return Some(message),
                Ok(None) => {}
                broken => panic!("the worker broke the protocol: {broken:?}"),
            }
            match self.chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(chunk) => conversation.read(&chunk),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the worker says nothing; stderr:\n{}", self.stderr())
                }
            }
        }
    }

    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until stderr holds the text.
    pub fn wait_for_stderr(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.stderr().contains(text) {
            assert!(Instant::now() < end, "stderr never held {text:?}: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn exit(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the worker does not exit");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn execute(&mut self, workflow: &str, params: &Value) -> u32 {
        self.execute_with(workflow, CodeSource::Named, params, 0)
    }

    pub fn execute_with(
        &mut self,
        workflow: &str,
        source: CodeSource,
        params: &Value,
        timeout_ms: u64,
    ) -> u32 {
        let message = self.execute_message(workflow, source, params, timeout_ms);
        self.send(&message);
        self.next_run
    }

    /// The message that would run it, for the next run.
    pub fn execute_message(
        &mut self,
        workflow: &str,
        source: CodeSource,
        params: &Value,
        timeout_ms: u64,
    ) -> ToWorker {
        self.next_run += 1;
        let run = self.next_run;
        ToWorker::Execute {
            run,
            execution_id: format!("00000000-0000-0000-0000-{run:012}"),
            attempt: 1,
            workflow: workflow.to_owned(),
            source,
            params: JsonBytes::of(params),
            context: JsonBytes::of(&json!({
                "organization": { "id": "o1", "name": "Acme" },
                "caller": { "name": "Ada" },
                "startup": { "form": 7 },
                "config": { "region": "eu" },
            })),
            timeout_ms,
            grace_ms: 1000,
        }
    }

    /// Runs it with parameters as they are written here.
    pub fn run_text(&mut self, workflow: &str, source: CodeSource, params: &str) -> Seen {
        let mut message = self.execute_message(workflow, source, &Value::Null, 0);
        if let ToWorker::Execute { params: bytes, .. } = &mut message {
            *bytes = JsonBytes::from(params);
        }
        self.send(&message);
        self.collect(self.next_run)
    }

    pub fn cancel(&mut self, run: u32, reason: CancelReason) {
        self.send(&ToWorker::Cancel { run, reason, message: String::new(), grace_ms: 1000 });
    }

    /// Waits for Started.
    pub fn wait_started(&self, run: u32) {
        let message = self.next();
        assert_eq!(message, ToSupervisor::Started { run });
    }

    pub fn run(&mut self, workflow: &str, params: &Value) -> Seen {
        let run = self.execute(workflow, params);
        self.collect(run)
    }

    /// Reads a run to its Idle; calls are answered with their own params.
    pub fn collect(&mut self, run: u32) -> Seen {
        self.collect_with(run, |_, params| CallResult::Ok { value: params })
    }

    pub fn collect_with(&mut self, run: u32, mut answer: impl FnMut(&str, JsonBytes) -> CallResult) -> Seen {
        let began = Instant::now();
        let mut seen = Seen {
            outcome: RunOutcome::Rejected { reason: "nothing came".to_owned() },
            logs: Vec::new(),
            log_frames: 0,
            progress: Vec::new(),
            claimed_log_records: 0,
            started: false,
            recycle: false,
            took: Duration::ZERO,
        };
        loop {
            match self.next() {
                ToSupervisor::Started { run: number } => {
                    assert_eq!(number, run);
                    seen.started = true;
                }
                ToSupervisor::Log { run: number, records } => {
                    assert_eq!(number, run);
                    seen.log_frames += 1;
                    seen.logs.extend(records);
                }
                ToSupervisor::Progress { current, total, message, .. } => {
                    seen.progress.push((current, total, message));
                }
                ToSupervisor::Call { run, call, method, params } => {
                    let result = answer(&method, params);
                    self.send(&ToWorker::Reply { run, call, result });
                }
                ToSupervisor::Finished { run: number, outcome, log_records, .. } => {
                    assert_eq!(number, run);
                    seen.outcome = outcome;
                    seen.claimed_log_records = log_records;
                    seen.took = began.elapsed();
                }
                ToSupervisor::Idle { run: number, recycle, .. } => {
                    assert_eq!(number, run);
                    seen.recycle = recycle;
                    assert_eq!(seen.claimed_log_records, seen.logs.len() as u64, "log records were lost");
                    return seen;
                }
                other => panic!("unexpected while run {run} is under way: {other:?}"),
            }
        }
    }

    pub fn inline(&mut self, code: &str, params: &Value) -> Seen {
        let run = self.start_inline(code, params, 0);
        self.collect(run)
    }

    pub fn start_inline(&mut self, code: &str, params: &Value, timeout_ms: u64) -> u32 {
        let source = CodeSource::Inline { language: String::new(), code: code.to_owned().into() };
        self.execute_with("script", source, params, timeout_ms)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The workflows that ship with the worker.
pub fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workflows")
}
