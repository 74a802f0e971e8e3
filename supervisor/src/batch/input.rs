//! Reads a JSONL file, line by line.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead, Read as _};

use muster_core::execution::{ExecutionRequest, InvalidRequest};
use serde::Deserialize;
use uuid::Uuid;

use crate::strict_request::strict_draft;

/// The longest line: what fits in a frame, after base64 and escapes. A file without line ends must not fill
/// the memory.
const LINE_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// What some editors begin a file with.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The file cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("line {number} cannot be read: {source}")]
pub struct InputError {
    /// The number of the line, counted from 1.
    pub number: usize,
    /// The error of the system call.
    pub source: std::io::Error,
}

/// A line that holds something. Empty lines are passed over, but they count.
#[derive(Debug)]
pub struct InputLine {
    /// Its place among the lines that hold something, from 0: the place of its result.
    pub index: usize,
    /// The request of the line, or why it asks for nothing that can run.
    pub request: Result<ExecutionRequest, BadLine>,
}

/// A line nothing can be run from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Which line of the file, from 1.
    pub number: usize,
    /// The id it gives, if that could be read.
    pub execution_id: Option<Uuid>,
    /// The workflow it names, if that could be read.
    pub workflow: Option<String>,
    /// What is wrong with it, with the line's number.
    pub message: String,
}

/// Which line gave which id, of the lines that gave one. A file may have millions of them, so of each id only a hash is
/// kept: about 20 bytes a line.
#[derive(Debug, Default)]
struct StatedIds {
    lines: BTreeMap<u64, u32>,
    hasher: RandomState,
}

impl StatedIds {
    /// The earlier line with this id; the line is remembered when there is none.
    fn first_with(&mut self, id: Uuid, line: usize) -> Option<u32> {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let first = *self.lines.entry(self.hasher.hash_one(id)).or_insert(line);
        (first != line).then_some(first)
    }
}

/// A batch runs all of its lines now and here: one that asks for anything else is refused.
fn runs_now(request: ExecutionRequest) -> Result<ExecutionRequest, InvalidRequest> {
    let mut problems = Vec::new();
    if !request.window.is_open() {
        let fields = "run_at, delay_seconds, expires_at, expires_seconds";
        problems.push(format!("{fields}: a batch runs now; leave them out, or submit it to a supervisor"));
    }
    if request.queue.is_some() {
        problems.push(
            "queue: a batch runs its lines itself; leave it out, or submit it to a supervisor".to_owned(),
        );
    }
    if request.idempotency_key.is_some() {
        problems.push(
            "idempotency_key: a batch runs each of its lines; leave it out, or submit it to a supervisor"
                .to_owned(),
        );
    }
    if !request.limits.is_empty() {
        problems.push(
            "limits: a batch runs its lines itself; leave them out, or submit it to a supervisor".to_owned(),
        );
    }
    if request.webhook.is_some() {
        problems.push(
            "webhook: a batch tells nobody but whoever reads its results; leave it out, or submit it to a supervisor"
                .to_owned(),
        );
    }
    if problems.is_empty() {
        return Ok(request);
    }
    Err(InvalidRequest { execution_id: Some(request.execution_id), problems })
}

/// The lines of a file. An iterator that ends with the file, or with the first error of reading.
#[derive(Debug)]
pub struct Input<R> {
    reader: R,
    number: usize,
    index: usize,
    ids: StatedIds,
    buffer: Vec<u8>,
    /// The last line was longer than a line may be, and its end is still to be found.
    within_long_line: bool,
}

impl<R: BufRead> Input<R> {
    /// Reads lines from where the reader stands.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            number: 0,
            index: 0,
            ids: StatedIds::default(),
            buffer: Vec::new(),
            within_long_line: false,
        }
    }

    /// The next line with something in it. Of one that is too long, its beginning.
    fn read(&mut self) -> std::io::Result<bool> {
        if std::mem::take(&mut self.within_long_line) {
            self.reader.skip_until(b'\n')?;
        }
        loop {
            self.number += 1;
            self.buffer.clear();
            let mut limited = self.reader.by_ref().take(LINE_MAX_BYTES + 1);
            if limited.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(false);
            }
            self.within_long_line =
                self.buffer.len() as u64 > LINE_MAX_BYTES && !self.buffer.ends_with(b"\n");
            if self.number == 1 && self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
            }
            if self.within_long_line || !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// What is wrong with the line as a line, before it is read as JSON.
    fn is_no_line(&self) -> Option<String> {
        if self.within_long_line {
            return Some(format!("it is longer than {LINE_MAX_BYTES} bytes; is this a file of JSON lines?"));
        }
        let is_array = self.index == 0 && self.buffer.trim_ascii_start().starts_with(b"[");
        is_array.then(|| {
            "this is a JSON array, not JSON lines: give each of its elements a line with `jq -c '.[]'`"
                .to_owned()
        })
    }

    fn request(&mut self) -> Result<ExecutionRequest, BadLine> {
        let number = self.number;
        if let Some(reason) = self.is_no_line() {
            let message = format!("line {number}: {reason}");
            return Err(BadLine { number, execution_id: None, workflow: None, message });
        }
        let mut stated = None;
        let request = strict_draft(&self.buffer).and_then(|draft| {
            stated = draft.execution_id;
            draft.with_default_id(Uuid::now_v7()).into_request()
        });
        let request = request.and_then(runs_now);
        let request = request.map_err(|error| BadLine {
            number,
            execution_id: stated_id(&self.buffer),
            workflow: stated_workflow(&self.buffer),
            // To serde the line is a text of its own, of one line.
            message: format!("line {number}: {error}").replace(" at line 1 column ", " at column "),
        })?;
        match stated.and_then(|id| self.ids.first_with(id, number)) {
            None => Ok(request),
            Some(first) => Err(BadLine {
                number,
                execution_id: Some(request.execution_id),
                workflow: Some(request.target.label()),
                message: format!(
                    "line {number}: execution_id: line {first} has the same one; give each its own"
                ),
            }),
        }
    }
}

impl<R: BufRead> Iterator for Input<R> {
    type Item = Result<InputLine, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(false) => None,
            Ok(true) => {
                let line = InputLine { index: self.index, request: self.request() };
                self.index += 1;
                Some(Ok(line))
            }
            Err(source) => Some(Err(InputError { number: self.number, source })),
        }
    }
}

/// The id a bad line gives; an invented one would not help anybody.
fn stated_id(line: &[u8]) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Stated {
        execution_id: Uuid,
    }
    serde_json::from_slice::<Stated>(line).ok().map(|stated| stated.execution_id)
}

fn stated_workflow(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Stated {
        workflow: String,
    }
    serde_json::from_slice::<Stated>(line).ok().map(|stated| stated.workflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<InputLine> {
        Input::new(text.as_bytes()).map(Result::unwrap).collect()
    }

    #[test]
    fn each_line_is_a_request_and_params_may_be_any_json() {
        let lines = lines(
            "{\"workflow\":\"a\",\"params\":[1, 2]}\n\n  \r\n{\"workflow\":\"b\",\"params\":null}\r\n{\"workflow\":\"c\"}",
        );
        let seen: Vec<(usize, String, String)> = lines
            .iter()
            .map(|line| {
                let request = line.request.as_ref().unwrap();
                (line.index, request.target.label(), request.parameters.get().to_owned())
            })
            .collect();
        let expected = [(0, "a", "[1, 2]"), (1, "b", "null"), (2, "c", "{}")];
        assert_eq!(seen, expected.map(|(index, name, params)| (index, name.to_owned(), params.to_owned())));
    }

    #[test]
    fn a_bad_line_says_its_number_and_keeps_its_place() {
        let lines =
            lines("{\"workflow\":\"a\"}\n\noops\n{\"workflow\":\"b\",\"priority\":12}\n{\"params\":{}}\n");
        assert_eq!(lines.iter().map(|line| line.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let bad: Vec<&BadLine> = lines.iter().filter_map(|line| line.request.as_ref().err()).collect();
        assert_eq!(bad.iter().map(|bad| bad.number).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(bad[1].workflow.as_deref(), Some("b"));
        assert!(
            bad[1].message.starts_with("line 4: invalid request: priority: must be"),
            "{}",
            bad[1].message
        );
    }

    #[test]
    fn what_a_batch_cannot_do_and_what_no_request_has_is_refused() {
        let message = |fields: &str| {
            let lines = lines(&format!("{{\"workflow\":\"a\",{fields}}}\n"));
            lines[0].request.as_ref().unwrap_err().message.clone()
        };
        let told = message(r#""webhook":{"url":"https://example.com/hook"}"#);
        assert!(told.contains("webhook: a batch tells nobody"), "{told}");
        for field in
            [r#""queue":"q""#, r#""limits":["l"]"#, r#""idempotency_key":"k""#, r#""delay_seconds":1"#]
        {
            assert!(message(field).contains("submit it to a supervisor"), "{field}: {}", message(field));
        }
        let misspelt = message(r#""timout_seconds":1"#);
        assert!(
            misspelt.ends_with("timout_seconds: is no field of a request; did you mean timeout_seconds?"),
            "{misspelt}"
        );
    }

    #[test]
    fn the_same_id_twice_runs_once() {
        let id = "0198aa00-0000-7000-8000-000000000001";
        let text = format!("{{\"execution_id\":\"{id}\",\"workflow\":\"a\"}}\n").repeat(3);
        let lines = lines(&text);
        assert!(lines[0].request.is_ok());
        for (line, number) in lines[1..].iter().zip([2, 3]) {
            let bad = line.request.as_ref().unwrap_err();
            assert_eq!(bad.execution_id.unwrap().to_string(), id);
            assert_eq!(
                bad.message,
                format!("line {number}: execution_id: line 1 has the same one; give each its own")
            );
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_bad_and_the_next_one_is_read() {
        let text = format!("{}\n{{\"workflow\":\"a\"}}\n", "x".repeat(LINE_MAX_BYTES as usize + 5));
        let lines = lines(&text);
        let bad = lines[0].request.as_ref().unwrap_err();
        assert!(bad.message.starts_with("line 1: it is longer than 33554432 bytes"), "{}", bad.message);
        assert_eq!(lines[1].request.as_ref().unwrap().target.label(), "a");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_file_without_line_ends_is_a_bad_line_before_it_fills_the_memory() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let line = Input::new(endless).next().unwrap().unwrap();
        assert_eq!(line.request.unwrap_err().number, 1);
    }

    #[test]
    fn what_is_wrong_is_said_in_terms_of_the_file() {
        let message = |text| lines(text)[0].request.as_ref().unwrap_err().message.clone();
        let broken = message("\n{\"workflow\":oops}\n");
        assert!(broken.starts_with("line 2: ") && broken.ends_with(" at column 13"), "{broken}");
        let array = message("[{\"workflow\":\"a\"}]\n");
        assert!(array.contains("not JSON lines") && array.contains("jq -c '.[]'"), "{array}");
        let marked = lines("\u{feff}{\"workflow\":\"a\"}\n");
        assert_eq!(marked[0].request.as_ref().unwrap().target.label(), "a");
    }
}
