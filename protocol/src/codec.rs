//! A message as bytes: the only file that names bincode.
//!
//! The encoding is bincode's legacy configuration: little-endian integers of fixed width, a u64 length
//! in front of strings and lists, a u32 in front of enums. SPEC.md writes it out, so that bincode is a
//! convenience here and not part of the contract.

pub(crate) use bincode::{Decode, Encode};

use crate::limits::FRAME_MAX_BYTES;
use crate::message::{ToSupervisor, ToWorker};

/// A hostile length inside a body must not make us allocate more than a frame could hold.
const DECODE_LIMIT_BYTES: usize = 2 * FRAME_MAX_BYTES;

/// A message of one direction.
pub trait Message: Encode + Decode<()> + serde::Serialize + serde::de::DeserializeOwned + Sized {
    /// The first variant index that version 1 does not know.
    const COUNT: u32;
}

impl Message for ToSupervisor {
    const COUNT: u32 = Self::COUNT;
}

impl Message for ToWorker {
    const COUNT: u32 = Self::COUNT;
}

/// What a body turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<M> {
    /// A message of version 1.
    Message(M),
    /// A message of a later version: to be skipped and counted.
    Unknown {
        /// Its variant index.
        index: u32,
    },
}

/// Why a body is not a message, or a message does not become a body.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Fewer than the four bytes of the variant index.
    #[error("the body has {bytes} bytes, too few for a message's index")]
    TooShort {
        /// How many it has.
        bytes: usize,
    },
    /// The body breaks off, has a bad tag, a hostile length or text that is not UTF-8.
    #[error("message {index} cannot be decoded: {reason}")]
    Malformed {
        /// The message's variant index.
        index: u32,
        /// What bincode says.
        reason: String,
    },
    /// Bytes are left over.
    #[error("message {index} ends after {consumed} of {bytes} bytes")]
    TrailingBytes {
        /// The message's variant index.
        index: u32,
        /// Where the message ends.
        consumed: usize,
        /// How long the body is.
        bytes: usize,
    },
    /// The message cannot be encoded.
    #[error("the message cannot be encoded: {0}")]
    Encode(String),
}

fn configuration() -> impl bincode::config::Config {
    bincode::config::legacy().with_limit::<DECODE_LIMIT_BYTES>()
}

/// Appends the message's body to `out`.
///
/// # Errors
/// Only when the message is larger than any frame may be.
pub fn encode_into<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<(), CodecError> {
    bincode::encode_into_std_write(message, out, configuration())
        .map(|_| ())
        .map_err(|error| CodecError::Encode(error.to_string()))
}

/// Reads one body. All of it must be used up.
///
/// # Errors
/// When the bytes are not a message of this direction.
pub fn decode<M: Message>(body: &[u8]) -> Result<Decoded<M>, CodecError> {
    let Some(index) = body.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)) else {
        return Err(CodecError::TooShort { bytes: body.len() });
    };
    if index >= M::COUNT {
        return Ok(Decoded::Unknown { index });
    }
    let (message, consumed) = bincode::decode_from_slice(body, configuration())
        .map_err(|error| CodecError::Malformed { index, reason: error.to_string() })?;
    if consumed != body.len() {
        return Err(CodecError::TrailingBytes { index, consumed, bytes: body.len() });
    }
    Ok(Decoded::Message(message))
}
