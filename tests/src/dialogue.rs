//! A worker executable on its own, with the test in the supervisor's place. It blocks, and starts a process as anyone
//! would: the supervisor's own peer waits in a runtime for a process that its spawner made.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use muster_protocol::codec::Decoded;
use muster_protocol::limits::FRAME_MAX_BYTES;
use muster_protocol::wire::{Conversation, Incoming, WireError};
use muster_protocol::{CodeSource, JsonBytes, LogLevel, ToSupervisor, ToWorker};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::Value;

use crate::eventually;
use crate::process::ProcessId;

/// How long a worker may take for a message it owes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running worker and its two pipes.
#[derive(Debug)]
pub struct Dialogue {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: File,
    conversation: Conversation,
}

impl Dialogue {
    /// Starts the command with `MUSTER_PROTOCOL=1`. Its stderr is the test's.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start<S: AsRef<str>>(command: &[S]) -> Self {
        let mut started = Command::new(command[0].as_ref());
        started.args(command[1..].iter().map(S::as_ref)).env(muster_protocol::PROTOCOL_ENV, "1");
        started.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = started.spawn().unwrap_or_else(|error| panic!("{started:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(OwnedFd::from).unwrap_or_else(|| panic!("no stdout"));
        Self { child, stdin, stdout: stdout.into(), conversation: Conversation::default() }
    }

    /// What the worker says next: `Ok(None)` at the end of its stdout.
    ///
    /// # Errors
    /// What it broke.
    ///
    /// # Panics
    /// When it says nothing within ten seconds.
    #[track_caller]
    pub fn incoming(&mut self) -> Result<Option<Incoming<ToSupervisor>>, WireError> {
        let deadline = Instant::now() + PATIENCE;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            if let Some(incoming) = self.conversation.hear()? {
                return Ok(Some(incoming));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = left.try_into().unwrap_or_else(|error| panic!("{error}"));
            let mut ready = [PollFd::from_borrowed_fd(self.stdout.as_fd(), PollFlags::IN)];
            let count = poll(&mut ready, Some(&timeout)).unwrap_or_else(|error| panic!("poll: {error}"));
            assert!(count > 0, "the worker said nothing for {PATIENCE:?}");
            let got = self.stdout.read(&mut chunk).unwrap_or_else(|error| panic!("stdout: {error}"));
            if got == 0 {
                return self.conversation.end().map(|text| text.map(Incoming::Preamble));
            }
            self.conversation.read(&chunk[..got]);
        }
    }

    /// The next message, which must be one.
    #[track_caller]
    pub fn message(&mut self) -> ToSupervisor {
        match self.incoming() {
            Ok(Some(Incoming::Message(Decoded::Message(message)))) => message,
            other => panic!("no message but {other:?}"),
        }
    }

    /// Says something to the worker.
    #[track_caller]
    pub fn say(&mut self, message: &ToWorker) {
        let mut bytes = Vec::new();
        self.conversation.say(message, &mut bytes).unwrap_or_else(|error| panic!("{error}"));
        let stdin = self.stdin.as_mut().unwrap_or_else(|| panic!("stdin is closed"));
        stdin.write_all(&bytes).unwrap_or_else(|error| panic!("stdin: {error}"));
    }

    /// Hello, Welcome with the features it offers, Ready. Gives the features.
    #[track_caller]
    pub fn handshake(&mut self) -> Vec<String> {
        let hello = self.message();
        let ToSupervisor::Hello { features, .. } = hello else { panic!("no Hello but {hello:?}") };
        self.say(&ToWorker::Welcome {
            protocol: 1,
            worker_id: "test".into(),
            features: features.clone(),
            max_frame_bytes: u32::try_from(FRAME_MAX_BYTES).unwrap_or(u32::MAX),
            log_level: LogLevel::Debug,
            config: JsonBytes::of(&serde_json::json!({ "workflows_dir": "/nowhere", "memory_limit_mb": 0 })),
        });
        let ready = self.message();
        assert!(matches!(ready, ToSupervisor::Ready { .. }), "no Ready but {ready:?}");
        features
    }

    /// Asks for a run of a named workflow.
    #[track_caller]
    pub fn execute(&mut self, run: u32, workflow: &str, params: &Value) {
        self.say(&ToWorker::Execute {
            run,
            execution_id: "018f4e9c-7d3a-7c10-9b1e-2f6a5d0c4b3a".into(),
            attempt: 1,
            workflow: workflow.into(),
            source: CodeSource::Named,
            params: JsonBytes::of(params),
            context: JsonBytes::of(&serde_json::json!({})),
            timeout_ms: 0,
            grace_ms: 1000,
        });
    }

    /// The process id of the worker.
    pub fn id(&self) -> ProcessId {
        self.child.id()
    }

    /// Closes the stdin of the worker.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for the worker's end.
    #[track_caller]
    pub fn exit(&mut self) -> ExitStatus {
        eventually("the worker ends", PATIENCE, || {
            self.child.try_wait().unwrap_or_else(|error| panic!("waiting for the worker: {error}"))
        })
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
