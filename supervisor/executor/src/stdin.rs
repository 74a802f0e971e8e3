//! Our end of a worker's stdin: written at once when the pipe takes it, later when it does not.
//!
//! Nobody waits for a worker to read. What it is owed is kept here, and bounded.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::{Buf as _, BytesMut};
use tokio::net::unix::pipe;

/// A worker that is owed more than this does not read its stdin while it keeps asking.
const OWED_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The pipe and what it did not take yet.
#[derive(Debug, Default)]
pub(super) struct StdinWriter {
    pipe: Option<Rc<pipe::Sender>>,
    owed: BytesMut,
    flushing: bool,
    close_when_flushed: bool,
}

/// What became of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum WriteProgress {
    /// They are in the pipe, or the pipe is closed and its worker about to be found dead.
    Done,
    /// Some are owed: a task must flush them.
    NeedsFlush,
    /// The worker is owed too much.
    Overflow,
}

impl StdinWriter {
    pub(super) fn open(&mut self, pipe: pipe::Sender) {
        self.pipe = Some(Rc::new(pipe));
    }

    /// Writes what the pipe takes now and keeps the rest.
    pub(super) fn send(&mut self, bytes: &[u8]) -> WriteProgress {
        let Some(pipe) = &self.pipe else { return WriteProgress::Done };
        let written = if self.owed.is_empty() { write_now(pipe, bytes) } else { Ok(0) };
        match written {
            Ok(written) if written == bytes.len() => WriteProgress::Done,
            Ok(written) => {
                self.owed.extend_from_slice(&bytes[written..]);
                if self.owed.len() > OWED_MAX_BYTES {
                    return WriteProgress::Overflow;
                }
                if std::mem::replace(&mut self.flushing, true) {
                    WriteProgress::Done
                } else {
                    WriteProgress::NeedsFlush
                }
            }
            Err(_) => {
                // The reading end is gone; the exit of the process tells the rest.
                self.pipe = None;
                WriteProgress::Done
            }
        }
    }

    /// Ends the worker's stdin, after what it is owed. Dropping the pipe is what sends the end.
    pub(super) fn close(&mut self) {
        if self.owed.is_empty() {
            self.pipe = None;
        } else {
            self.close_when_flushed = true;
        }
    }

    fn abandon(&mut self) {
        self.pipe = None;
        self.owed = BytesMut::new();
        self.flushing = false;
    }
}

/// Writes until all is written or the pipe is full; gives how much was written.
fn write_now(pipe: &pipe::Sender, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match pipe.try_write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Writes what a worker is owed as it reads. Ends when all is written or the pipe is gone.
pub(super) async fn flush(owing: Rc<RefCell<StdinWriter>>) {
    loop {
        let Some(pipe) = owing.borrow().pipe.clone() else { break };
        let writable = pipe.writable().await;
        let mut outgoing = owing.borrow_mut();
        match writable.and_then(|()| write_now(&pipe, &outgoing.owed)) {
            Ok(written) => {
                outgoing.owed.advance(written);
            }
            Err(_) => {
                outgoing.abandon();
                break;
            }
        }
        if outgoing.owed.is_empty() {
            outgoing.owed = BytesMut::new();
            outgoing.flushing = false;
            if outgoing.close_when_flushed {
                outgoing.pipe = None;
            }
            break;
        }
    }
}
