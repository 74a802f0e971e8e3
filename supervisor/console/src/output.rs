//! Writing results to stdout.

use std::io::{ErrorKind, Write as _};

use muster_api::PauseView;
use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::human;

/// Writes `text` to stdout. A reader that left early (`supervisor list | head`) is no failure.
pub fn print(text: &str) -> Result<(), CommandFailure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(CommandFailure::other(format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes `text` and a line end to stdout.
pub fn print_line(text: &str) -> Result<(), CommandFailure> {
    print(&format!("{text}\n"))
}

/// Writes rows below their header to stdout, or where there are none a line that says so to stderr.
pub fn print_table(header: &[&str], rows: &[Vec<String>], none: &str) -> Result<(), CommandFailure> {
    if rows.is_empty() {
        note(none);
        return Ok(());
    }
    print(&spelled_out(&human::table(header, rows)))
}

/// JSON on one line, whatever line breaks the user data in it has.
pub fn json_line<T: serde::Serialize + ?Sized>(value: &T) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    muster_core::json::one_line(&text).into_owned()
}

/// Writes a line to stderr, if anybody listens there.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says on stderr which pauses keep what was just submitted from starting.
pub fn note_pauses(paused_by: &[PauseView]) {
    for pause in paused_by {
        note(&spelled_out(&format!("it does not start yet: {}", pause.sentence())));
    }
}
