//! The lines of a batch as they come in, from whatever is slow to give them.

use tokio::sync::mpsc;

use super::input::{InputError, InputLine};
use super::queue::CLAIM_MAX;

/// The lines of a file, as they are read. A reading error is the last item.
pub type InputLines = mpsc::Receiver<Result<InputLine, InputError>>;

/// Reads lines on a thread of their own, so that a slow pipe does not hold up the executions. Nobody waits for the
/// thread: a read of a pipe or a terminal may never come back.
///
/// # Errors
/// When the system has no thread to give.
pub fn read_lines(
    lines: impl Iterator<Item = Result<InputLine, InputError>> + Send + 'static,
) -> std::io::Result<InputLines> {
    let (sender, receiver) = mpsc::channel(2 * CLAIM_MAX);
    std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
        for line in lines {
            let last = line.is_err();
            if sender.blocking_send(line).is_err() || last {
                return;
            }
        }
    })?;
    Ok(receiver)
}
