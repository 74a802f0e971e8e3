//! One side of a conversation: bytes in, messages out, in the spelling the worker chose.
//!
//! A worker's first byte decides: 0x00 is a frame, `{"Hello"` at the start of a line is JSON lines, and
//! anything else before Hello is preamble, kept for the log. Later, a first byte other than 0x00 where a
//! frame should begin is stray text, and recognised at once.

mod conversation;
mod decoder;

use bytes::Bytes;

pub use conversation::Conversation;
pub use decoder::WireDecoder;

use crate::codec::{CodecError, Decoded, EncodeError, ProtocolMessage, decode_shared};
use crate::frame::{BadLength, append_frame};
use crate::json::{self, JsonError};
use crate::limits::{FRAME_MAX_BYTES, PREAMBLE_MAX_BYTES};
use crate::message::ToSupervisor;

/// The two ways a message may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// Length-delimited bincode, what SDKs speak unless told otherwise.
    Binary,
    /// One line of JSON per message.
    JsonLines,
}

impl Spelling {
    /// Appends the message in this spelling to `out`. On an error `out` is as it was.
    ///
    /// # Errors
    /// When the message does not fit in a frame, or holds bytes that are not JSON in JSON lines mode.
    pub fn append<M: ProtocolMessage>(self, message: &M, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Binary => append_frame(message, out),
            Self::JsonLines => {
                let line = json::to_line(message)?;
                if line.len() > FRAME_MAX_BYTES {
                    return Err(EncodeError::TooLarge { bytes: line.len() });
                }
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
                Ok(())
            }
        }
    }
}

/// How a worker's stdout broke the rules of the wire.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Bytes on stdout that are no frame.
    #[error("stray bytes on the worker's stdout where a message should begin: {quoted:?}")]
    Polluted {
        /// Up to 256 of them, as text.
        quoted: String,
    },
    /// More text before Hello than anyone prints by accident.
    #[error("more than {PREAMBLE_MAX_BYTES} bytes of text before Hello, at the end of them: {quoted:?}")]
    PreambleTooLong {
        /// Up to 256 of them, as text.
        quoted: String,
    },
    /// A frame's length is 0 or too large, or a line has no end.
    #[error(transparent)]
    BadLength(#[from] BadLength),
    /// The stream ended inside a message.
    #[error("the worker's stdout ended inside a message, after {bytes} bytes of it")]
    Truncated {
        /// How many bytes of the message came.
        bytes: usize,
    },
    /// A frame's body is no message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A line in JSON lines mode is no message.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl WireError {
    /// True when the fault is text on stdout rather than a broken frame.
    pub fn is_pollution(&self) -> bool {
        match self {
            Self::Polluted { .. } | Self::PreambleTooLong { .. } => true,
            Self::BadLength(_) | Self::Truncated { .. } | Self::Codec(_) | Self::Json(_) => false,
        }
    }
}

/// What was read from a worker's stdout, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<M> {
    /// A message, or one of a later version.
    Message(Decoded<M>),
    /// Text that was printed before Hello, such as a warning of an interpreter.
    Preamble(String),
}

/// Something a worker's stdout held, with its message not read yet.
#[derive(Debug)]
pub enum Piece {
    /// The bytes of one message, not decoded yet.
    Message(WholeMessage),
    /// Text that was printed before Hello, such as a warning of an interpreter.
    Preamble(String),
}

/// The bytes of one message, all of them. Reading it takes as long as it is large, and can be done anywhere.
#[derive(Debug)]
pub struct WholeMessage {
    spelling: Spelling,
    bytes: Bytes,
}

impl WholeMessage {
    /// The size of the message in bytes, as it stood on the wire.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// True when it is the end of a run in a frame: its result is shared with the frame, so that reading it takes no
    /// longer for being large.
    pub fn is_framed_end(&self) -> bool {
        let index = self.bytes.first_chunk::<4>().map(|index| u32::from_le_bytes(*index));
        let name = index.and_then(|index| ToSupervisor::NAMES.get(index as usize));
        self.spelling == Spelling::Binary && name == Some(&"Finished")
    }

    /// The same in memory of its own: it may be kept, and keeps nothing that was read with it.
    pub fn copied(&self) -> Self {
        Self { spelling: self.spelling, bytes: Bytes::copy_from_slice(&self.bytes) }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is no message of this direction.
    pub fn read<M: ProtocolMessage>(&self) -> Result<Decoded<M>, WireError> {
        Ok(match self.spelling {
            Spelling::Binary => decode_shared(&self.bytes)?,
            Spelling::JsonLines => {
                json::from_line(std::str::from_utf8(self.bytes.trim_ascii()).map_err(JsonError::from)?)?
            }
        })
    }
}
