//! How a worker is started by a test, and read all the time so that it never waits for the test.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use muster_protocol::{JsonBytes, LogLevel, ToSupervisor, ToWorker};
use serde_json::json;

use super::Peer;

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
        if self.json {
            command.args(["serve", "--json"]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the worker starts");
        let (read, chunks) = channel();
        let mut stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut chunk = vec![0; 256 * 1024];
            while let Ok(bytes @ 1..) = stdout.read(&mut chunk) {
                if read.send(chunk[..bytes].to_vec()).is_err() {
                    return;
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
        let conversation = RefCell::default();
        Peer { child, input, chunks, conversation, stderr, next_run: 0, workflows: Vec::new() }
    }
}
