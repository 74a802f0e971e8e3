//! The three decoders, and when they agree.
//!
//! Each says `refused` (and ours why), `skipped`, or `ok` and the message: a body as its own encoder writes it again, in hexadecimal
//! digits, a line as a line. Node has no bytes for a payload that is no text, and says `ok ?` then.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use muster_protocol::codec::{Decoded, ProtocolMessage, decode, encode_into};
use muster_protocol::compare::is_same_value;
use muster_protocol::{ToSupervisor, ToWorker, json};

use crate::inputs::{Direction, Input};
use crate::twice::says_a_name_twice;

pub(crate) fn ours(input: &Input) -> String {
    match input.direction {
        Direction::ToSupervisor => said::<ToSupervisor>(input),
        Direction::ToWorker => said::<ToWorker>(input),
    }
}

fn said<M: ProtocolMessage>(input: &Input) -> String {
    let decoded = if input.is_line {
        std::str::from_utf8(&input.bytes)
            .map_err(|error| error.to_string())
            .and_then(|text| json::from_line::<M>(text).map_err(|error| error.to_string()))
    } else {
        decode::<M>(&input.bytes).map_err(|error| error.to_string())
    };
    match decoded {
        Err(why) => format!("refused, {why}"),
        Ok(Decoded::Unknown { .. }) => "skipped".into(),
        Ok(Decoded::Message(message)) if input.is_line => format!("ok {}", json::to_line(&message).unwrap()),
        Ok(Decoded::Message(message)) => {
            let mut bytes = Vec::new();
            encode_into(&message, &mut bytes).unwrap();
            let line = Input { direction: input.direction, is_line: false, bytes }.line();
            format!("ok {}", line.rsplit(' ').next().unwrap_or_default())
        }
    }
}

pub(crate) fn python(inputs: &[Input]) -> Vec<String> {
    answers("python3", "decode.py", inputs)
}

pub(crate) fn node(inputs: &[Input]) -> Vec<String> {
    answers("node", "decode.js", inputs)
}

fn answers(program: &str, script: &str, inputs: &[Input]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential").join(script);
    let mut command = Command::new(program);
    command.arg(script).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    #[expect(clippy::disallowed_methods, reason = "a test runs the decoders of other languages")]
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let text: String = inputs.iter().map(|input| input.line() + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program} {}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Whether they say the same of an input.
pub(crate) fn agree(name: &str, input: &Input, ours: &str, theirs: &str) -> bool {
    match (ours.strip_prefix("ok "), theirs.strip_prefix("ok ")) {
        (Some(_), Some("?")) => true,
        (Some(ours), Some(theirs)) => ours == theirs || is_same_value(ours, theirs),
        // JavaScript has one kind of number, and of two values of one name it sees the last.
        (None, Some(_)) if name == "Node" && input.is_line => {
            ours.contains("floating point") || says_a_name_twice(&String::from_utf8_lossy(&input.bytes))
        }
        (None, None) if name == "Node" && input.is_line && theirs == "skipped" => {
            ours == theirs || says_a_name_twice(&String::from_utf8_lossy(&input.bytes))
        }
        (None | Some(_), None | Some(_)) => ours.split(',').next() == Some(theirs),
    }
}
