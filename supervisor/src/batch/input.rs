//! Reads a JSONL file, line by line.

use std::collections::HashMap;
use std::io::{BufRead, Read as _};

use serde::Deserialize;
use uuid::Uuid;

use crate::execution::{Draft, Request};

/// The longest line: what fits in a frame, after base64 and escapes. A file without line ends must not fill
/// the memory.
const LINE_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The file cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("line {number} cannot be read: {source}")]
pub struct InputError {
    /// Which line.
    pub number: usize,
    /// What the system said.
    pub source: std::io::Error,
}

/// A line that holds something. Empty lines are passed over, but they count.
#[derive(Debug)]
pub struct Line {
    /// Its place among the lines that hold something, from 0: the place of its result.
    pub index: usize,
    /// What it asks for.
    pub request: Result<Request, BadLine>,
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

/// The lines of a file. An iterator that ends with the file, or with the first error of reading.
#[derive(Debug)]
pub struct Input<R> {
    reader: R,
    number: usize,
    index: usize,
    ids: HashMap<Uuid, usize>,
    buffer: Vec<u8>,
}

impl<R: BufRead> Input<R> {
    /// Reads from here on.
    pub fn new(reader: R) -> Self {
        Self { reader, number: 0, index: 0, ids: HashMap::new(), buffer: Vec::new() }
    }

    /// The next line with something in it.
    fn read(&mut self) -> std::io::Result<bool> {
        loop {
            self.number += 1;
            self.buffer.clear();
            let mut limited = self.reader.by_ref().take(LINE_MAX_BYTES + 1);
            if limited.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(false);
            }
            if self.buffer.len() as u64 > LINE_MAX_BYTES {
                let reason =
                    format!("it is longer than {LINE_MAX_BYTES} bytes; is this a file of JSON lines?");
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, reason));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn request(&mut self) -> Result<Request, BadLine> {
        let number = self.number;
        let request =
            Draft::parse(&self.buffer).and_then(|draft| draft.with_default_id(Uuid::now_v7()).into_request());
        let request = request.map_err(|error| BadLine {
            number,
            execution_id: stated_id(&self.buffer),
            workflow: stated_workflow(&self.buffer),
            message: format!("line {number}: {error}"),
        })?;
        match self.ids.insert(request.execution_id, number) {
            None => Ok(request),
            Some(first) => {
                self.ids.insert(request.execution_id, first);
                Err(BadLine {
                    number,
                    execution_id: Some(request.execution_id),
                    workflow: Some(request.target.label()),
                    message: format!(
                        "line {number}: execution_id: line {first} has the same one; give each its own"
                    ),
                })
            }
        }
    }
}

impl<R: BufRead> Iterator for Input<R> {
    type Item = Result<Line, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(false) => None,
            Ok(true) => {
                let index = self.index;
                self.index += 1;
                Some(Ok(Line { index, request: self.request() }))
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

    fn lines(text: &str) -> Vec<Line> {
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
    fn a_file_without_line_ends_is_refused_before_it_fills_the_memory() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let error = Input::new(endless).next().unwrap().unwrap_err();
        assert_eq!(error.number, 1);
    }
}
