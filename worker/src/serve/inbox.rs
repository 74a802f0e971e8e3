//! What the supervisor says, read from a blocking descriptor without ever blocking against one's will.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use muster_protocol::ToWorker;
use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Incoming, Spelling, WireDecoder, WireError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::run::Waker;

const READ_BYTES: usize = 64 * 1024;

/// Reads messages. Owned by one thread at a time.
pub(crate) struct Inbox {
    input: Arc<OwnedFd>,
    decoder: WireDecoder,
    buffer: BytesMut,
    scratch: Box<[u8]>,
    ended: bool,
}

/// Why no more can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InboxError {
    #[error("reading from the supervisor failed: {0}")]
    Io(#[from] Errno),
    #[error("the supervisor broke the protocol: {}", on_stdin(.0))]
    Wire(#[from] WireError),
}

/// The words of the error are those of a supervisor that reads a worker's stdout; here it is the other way.
fn on_stdin(error: &WireError) -> String {
    error.to_string().replace("the worker's stdout", "the worker's stdin")
}

impl Inbox {
    pub(crate) fn new(input: Arc<OwnedFd>, spelling: Spelling) -> Self {
        Self {
            input,
            decoder: WireDecoder::decided(spelling),
            buffer: BytesMut::with_capacity(READ_BYTES),
            scratch: vec![0; READ_BYTES].into_boxed_slice(),
            ended: false,
        }
    }

    /// Waits for the next message. `None` is the end of the stream: the supervisor is gone.
    pub(crate) fn next(&mut self) -> Result<Option<ToWorker>, InboxError> {
        loop {
            if let Some(message) = self.next_buffered()? {
                return Ok(Some(message));
            }
            if self.ended {
                return Ok(None);
            }
            self.read()?;
        }
    }

    /// A message that was read already.
    pub(crate) fn next_buffered(&mut self) -> Result<Option<ToWorker>, InboxError> {
        while !self.buffer.is_empty() {
            match self.decoder.next(&mut self.buffer)? {
                Some(Incoming::Message(Decoded::Message(message))) => return Ok(Some(message)),
                // A message of a later version, or text where a person plays the supervisor: passed over.
                Some(Incoming::Message(Decoded::Unknown { .. }) | Incoming::Preamble(_)) => {}
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Waits for bytes, the waker or the timeout, and reads what is there. Blocks no longer than that.
    pub(crate) fn wait(&mut self, waker: &Waker, timeout: Option<Duration>) -> Result<(), InboxError> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let input = Arc::clone(&self.input);
        let mut fds =
            [PollFd::from_borrowed_fd(waker.fd(), PollFlags::IN), PollFd::new(&input, PollFlags::IN)];
        let count = if self.ended { 1 } else { 2 };
        match poll(&mut fds[..count], timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !fds[0].revents().is_empty() {
            waker.clear();
        }
        // What one read gives may be a part of a frame; it never waits for more than that.
        if count == 2 && !fds[1].revents().is_empty() {
            self.read()?;
        }
        Ok(())
    }

    /// True once the stream has ended.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    fn read(&mut self) -> Result<(), InboxError> {
        match rustix::io::read(self.input.as_fd(), &mut self.scratch[..]) {
            Ok(0) => self.ended = true,
            Ok(bytes) => self.buffer.extend_from_slice(&self.scratch[..bytes]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
