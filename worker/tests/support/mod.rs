//! A supervisor for tests: it starts the real `worker` binary and talks to it in frames or lines.
#![expect(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects")]
#![expect(clippy::disallowed_methods, reason = "a test starts the worker without a supervisor")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Incoming, Spelling, WireDecoder};
use muster_protocol::{
    CallResult, CancelReason, CodeSource, ErrorInfo, JsonBytes, LogLevel, LogRecord, RunOutcome,
    ToSupervisor, ToWorker,
};
use serde_json::{Value, json};

/// Nothing in these tests takes longer; whatever does hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Peer {
    pub child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Result<ToSupervisor, String>>,
    pub stderr: Arc<Mutex<String>>,
    spelling: Spelling,
    next_run: u32,
    pub workflows: Vec<String>,
}

/// Everything a run said.
#[derive(Debug)]
pub struct Seen {
    pub outcome: RunOutcome,
    pub logs: Vec<LogRecord>,
    pub log_frames: usize,
    pub progress: Vec<(u64, u64, String)>,
    pub claimed_log_records: u64,
    pub started: bool,
    pub recycle: bool,
    pub took: Duration,
}

impl Seen {
    /// The result as it was written.
    pub fn text(&self) -> &str {
        match &self.outcome {
            RunOutcome::Succeeded { result } => std::str::from_utf8(&result.0).unwrap(),
            other => panic!("not a success: {other:?}\n{:?}", self.logs),
        }
    }

    pub fn result(&self) -> Value {
        match &self.outcome {
            RunOutcome::Succeeded { result } => serde_json::from_slice(&result.0).unwrap(),
            other => panic!("not a success: {other:?}\n{:?}", self.logs),
        }
    }

    pub fn error(&self) -> &ErrorInfo {
        match &self.outcome {
            RunOutcome::Failed { error } => error,
            other => panic!("not a failure: {other:?}"),
        }
    }

    pub fn rejected(&self) -> &str {
        match &self.outcome {
            RunOutcome::Rejected { reason } => reason,
            other => panic!("not rejected: {other:?}"),
        }
    }

    pub fn cancelled(&self) -> &str {
        match &self.outcome {
            RunOutcome::Cancelled { message } => message,
            other => panic!("not cancelled: {other:?}"),
        }
    }

    pub fn messages(&self) -> Vec<&str> {
        self.logs.iter().map(|record| record.message.as_str()).collect()
    }
}

/// How to start the worker.
pub struct Start<'a> {
    pub workflows: &'a Path,
    /// Instead of the default worker.
    pub program: Option<&'a Path>,
    pub json: bool,
    pub conformance: bool,
    pub memory_limit_mb: u64,
    pub env: &'a [(&'a str, &'a str)],
    pub api_address: Option<&'a str>,
}

impl<'a> Start<'a> {
    pub fn in_folder(workflows: &'a Path) -> Self {
        Self {
            workflows,
            program: None,
            json: false,
            conformance: true,
            memory_limit_mb: 0,
            env: &[],
            api_address: None,
        }
    }

    /// Starts the worker and shakes hands.
    pub fn ready(&self) -> Peer {
        let mut peer = self.spawn();
        let hello = peer.next();
        assert!(matches!(hello, ToSupervisor::Hello { .. }), "{hello:?}");
        peer.send(&self.welcome());
        match peer.next() {
            ToSupervisor::Ready { workflows } => peer.workflows = workflows,
            other => panic!("not ready: {other:?}"),
        }
        peer
    }

    pub fn welcome(&self) -> ToWorker {
        ToWorker::Welcome {
            protocol: 1,
            worker_id: "test".to_owned(),
            features: muster_protocol::feature::ALL.map(str::to_owned).to_vec(),
            max_frame_bytes: 16_777_215,
            log_level: LogLevel::Debug,
            config: JsonBytes::of(
                &json!({ "workflows_dir": self.workflows, "memory_limit_mb": self.memory_limit_mb, "api_address": self.api_address }),
            ),
        }
    }

    pub fn spawn(&self) -> Peer {
        let mut command = Command::new(self.program.unwrap_or(Path::new(env!("CARGO_BIN_EXE_worker"))));
        command.env("MUSTER_PROTOCOL", "1").envs(self.env.iter().copied());
        if self.conformance {
            command.env("MUSTER_CONFORMANCE", "1");
        }
        let mut spelling = Spelling::Binary;
        if self.json {
            command.args(["serve", "--json"]);
            spelling = Spelling::JsonLines;
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the worker starts");
        let (to, messages) = channel();
        let mut stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut decoder = WireDecoder::new();
            let mut buffer = BytesMut::new();
            let mut chunk = vec![0; 256 * 1024];
            loop {
                match stdout.read(&mut chunk) {
                    Ok(0) | Err(_) => return,
                    Ok(bytes) => buffer.extend_from_slice(&chunk[..bytes]),
                }
                loop {
                    match decoder.next::<ToSupervisor>(&mut buffer) {
                        // May come at any time, so nobody waits for it.
                        Ok(Some(Incoming::Message(Decoded::Message(ToSupervisor::Describe { .. })))) => {}
                        Ok(Some(Incoming::Message(Decoded::Message(message)))) => {
                            if to.send(Ok(message)).is_err() {
                                return;
                            }
                        }
                        Ok(Some(other)) => drop(to.send(Err(format!("{other:?}")))),
                        Ok(None) => break,
                        Err(error) => {
                            drop(to.send(Err(error.to_string())));
                            return;
                        }
                    }
                }
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        let (pipe, text) = (child.stderr.take().unwrap(), Arc::clone(&stderr));
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut text = text.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        let input = child.stdin.take();
        Peer { child, input, messages, stderr, spelling, next_run: 0, workflows: Vec::new() }
    }
}

impl Peer {
    pub fn send(&mut self, message: &ToWorker) {
        let mut bytes = Vec::new();
        self.spelling.append(message, &mut bytes).unwrap();
        self.input.as_mut().expect("stdin is open").write_all(&bytes).unwrap();
    }

    /// Writes several messages at once, so that the worker reads them at once.
    pub fn send_together(&mut self, messages: &[ToWorker]) {
        let mut bytes = Vec::new();
        for message in messages {
            self.spelling.append(message, &mut bytes).unwrap();
        }
        self.input.as_mut().expect("stdin is open").write_all(&bytes).unwrap();
    }

    pub fn close(&mut self) {
        self.input = None;
    }

    pub fn next(&self) -> ToSupervisor {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(Ok(message)) => message,
            Ok(Err(error)) => panic!("the worker broke the protocol: {error}"),
            Err(RecvTimeoutError::Timeout) => panic!("the worker says nothing; stderr:\n{}", self.stderr()),
            Err(RecvTimeoutError::Disconnected) => panic!("the worker is gone; stderr:\n{}", self.stderr()),
        }
    }

    /// The next message, or `None` once the worker has closed its end.
    pub fn next_or_end(&self) -> Option<ToSupervisor> {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(message) => Some(message.expect("a message")),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the worker neither speaks nor ends"),
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
