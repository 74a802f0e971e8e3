//! A run of `supervisor batch` over lines a test writes.

use std::fs;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Installation;

/// What a batch printed and how it ended.
#[derive(Debug)]
pub struct BatchRun {
    /// How the process of the batch ended.
    pub status: ExitStatus,
    /// One result for each line of input, in input order.
    pub results: Vec<Value>,
    /// What it said to people.
    pub stderr: String,
    /// How long it took, the start of the process included.
    pub duration: Duration,
}

impl Installation {
    /// Runs the lines as a batch and waits for its end.
    ///
    /// # Panics
    /// When a line of output is not JSON.
    #[track_caller]
    pub fn batch(&self, lines: &[Value], arguments: &[&str]) -> BatchRun {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.batch_text(&text, arguments)
    }

    /// The same with the input as it stands.
    #[track_caller]
    pub fn batch_text(&self, text: &str, arguments: &[&str]) -> BatchRun {
        let file = self.path("batch.jsonl");
        fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let began = Instant::now();
        let output = self.command(&["batch"]).arg(&file).args(arguments).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("supervisor batch: {error}"));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let parse = |line: &[u8]| {
            serde_json::from_slice(line).unwrap_or_else(|error| {
                panic!("not a result: {error}: {:?}\n{stderr}", String::from_utf8_lossy(line))
            })
        };
        let lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let results = lines.map(parse).collect();
        BatchRun { status: output.status, results, stderr, duration: began.elapsed() }
    }
}
