//! `supervisor submit --from FILE.jsonl`: many executions, several hundred in one transaction.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::output::{json_line, note, print_line};
use crate::api::{BatchItemView, BatchView};
use crate::client::ApiClient;

/// So many lines are sent at once.
const LINES_MAX: usize = 1_000;
/// Or so many bytes.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Submits each line of a file, or of standard input; prints an id for each that was taken, in their order.
pub(super) fn submit_file(client: &ApiClient, path: &str, json: bool) -> Result<ExitCode, CommandFailure> {
    let unreadable = |error| CommandFailure::usage(format!("--from {path} cannot be read: {error}"));
    let input: Box<dyn BufRead> = match path {
        "-" => Box::new(std::io::stdin().lock()),
        path => Box::new(BufReader::new(File::open(path).map_err(unreadable)?)),
    };
    let mut sender = LineSender {
        client,
        json,
        lines: String::new(),
        numbers: Vec::new(),
        refused: 0,
        taken: 0,
        same: SameProblems::default(),
        paused: BTreeMap::new(),
    };
    for (index, line) in input.lines().enumerate() {
        let line = line.map_err(unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        sender.lines.push_str(line.trim());
        sender.lines.push('\n');
        sender.numbers.push(index + 1);
        if sender.numbers.len() >= LINES_MAX || sender.lines.len() >= BYTES_MAX {
            sender.send()?;
        }
    }
    sender.send()?;
    let LineSender { taken, refused, paused, .. } = sender;
    for (sentence, count) in paused {
        note(&spelled_out(&format!("{count} of them do not start yet: {sentence}")));
    }
    if refused > 0 {
        note(&format!("{taken} submitted, {refused} refused"));
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lines on their way, with their numbers.
struct LineSender<'a> {
    client: &'a ApiClient,
    json: bool,
    lines: String,
    numbers: Vec<usize>,
    refused: usize,
    taken: usize,
    /// What is wrong with the last lines.
    same: SameProblems,
    /// How many each pause keeps from starting.
    paused: BTreeMap<String, usize>,
}

impl LineSender<'_> {
    fn send(&mut self) -> Result<(), CommandFailure> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        let BatchView { executions } = self.client.submit_batch(&self.lines).inspect_err(|_| {
            note(&format!("{} lines before line {} are submitted", self.taken, self.numbers[0]));
        })?;
        for (number, item) in self.numbers.iter().zip(&executions) {
            if self.json {
                print_line(&json_line(item))?;
            }
            match item {
                BatchItemView { problem: Some(problem), .. } => {
                    self.refused += 1;
                    self.same.say(*number, &problem.detail);
                }
                BatchItemView { execution_id, paused_by, problem: None, .. } => {
                    self.taken += 1;
                    for pause in paused_by {
                        *self.paused.entry(pause.sentence()).or_default() += 1;
                    }
                    if let Some(id) = execution_id.filter(|_| !self.json) {
                        print_line(&id.to_string())?;
                    }
                }
            }
        }
        self.same.end();
        self.lines.clear();
        self.numbers.clear();
        Ok(())
    }
}

/// What is wrong with lines, said once where it is the same of several: a database that is full would be told of each.
#[derive(Default)]
struct SameProblems {
    last: Option<String>,
    more: usize,
}

impl SameProblems {
    fn say(&mut self, number: usize, problem: &str) {
        if self.last.as_deref() == Some(problem) {
            self.more += 1;
            return;
        }
        self.end();
        note(&format!("line {number}: {problem}"));
        self.last = Some(problem.to_owned());
    }

    /// Says of how many more lines the last one was true.
    fn end(&mut self) {
        self.last = None;
        match std::mem::take(&mut self.more) {
            0 => {}
            1 => note("the same of 1 more line"),
            more => note(&format!("the same of {more} more lines")),
        }
    }
}
