//! The supervisor's side of a conversation with one worker, for whoever holds the pipes.

use bytes::BytesMut;

use super::{Incoming, Spelling, WireDecoder, WireError};
use crate::codec::EncodeError;
use crate::message::{ToSupervisor, ToWorker};

/// What is kept between two reads from a worker: the bytes that are no message yet, and the spelling it chose. It does no
/// I/O, so that those who wait for a worker and those who block on it have the same wire.
#[derive(Debug)]
pub struct Conversation {
    decoder: WireDecoder,
    pending: BytesMut,
    spelling: Spelling,
}

impl Default for Conversation {
    fn default() -> Self {
        Self { decoder: WireDecoder::new(), pending: BytesMut::new(), spelling: Spelling::Binary }
    }
}

impl Conversation {
    /// The spelling the worker chose; frames as long as it has said nothing.
    pub fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// Takes in what was just read from the worker's stdout.
    pub fn read(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Gives what the worker said next, or `None` when more must be read for it.
    ///
    /// # Errors
    /// When the bytes break the protocol. The conversation is of no use after that.
    pub fn hear(&mut self) -> Result<Option<Incoming<ToSupervisor>>, WireError> {
        let heard = self.decoder.next(&mut self.pending)?;
        self.spelling = self.decoder.spelling().unwrap_or(self.spelling);
        Ok(heard)
    }

    /// Judges what is left at the end of the worker's stdout: text before Hello without a line's end is given.
    ///
    /// # Errors
    /// When stdout ended inside a message.
    pub fn end(&self) -> Result<Option<String>, WireError> {
        self.decoder.end(&self.pending)
    }

    /// Appends to `out` the bytes that say the message in the worker's spelling.
    ///
    /// # Errors
    /// When the message does not fit in a frame, or holds bytes that are not JSON in JSON lines mode.
    pub fn say(&self, message: &ToWorker, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.spelling.append(message, out)
    }
}
