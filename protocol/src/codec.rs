//! A message as bytes: the only file that names bincode.
//!
//! The encoding is bincode's legacy configuration: little-endian integers of fixed width, a u64 length
//! in front of strings and lists, a u32 in front of enums. SPEC.md writes it out, so that bincode is a
//! convenience here and not part of the contract.

pub(crate) use bincode::{Decode, Encode};

use bincode::de::Decoder;
use bincode::de::read::Reader as _;
use bincode::enc::Encoder;
use bincode::error;
use bytes::Bytes;

use crate::limits::FRAME_MAX_BYTES;
use crate::message::{ToSupervisor, ToWorker};
use crate::shared::{JsonBytes, TextBytes};

/// A hostile length inside a body must not make us allocate more than an honest frame could need.
///
/// bincode counts what values take in memory, and an empty string takes three times its eight bytes on
/// the wire: four frames is the smallest round bound that no honest frame meets.
const DECODE_LIMIT_BYTES: usize = 4 * FRAME_MAX_BYTES;

/// A payload of so many bytes is shared with its frame. A shorter one is copied, so that it does not keep the buffer it
/// came in.
const SHARED_MIN_BYTES: usize = 64 * 1024;

/// The messages of one direction implement this; it names them and their highest number.
pub trait ProtocolMessage:
    Encode + Decode<FrameBytes> + serde::Serialize + serde::de::DeserializeOwned
{
    /// The names of all messages version 1 has, each at its variant index.
    const NAMES: &'static [&'static str];
}

impl ProtocolMessage for ToSupervisor {
    const NAMES: &'static [&'static str] = &Self::NAMES;
}

impl ProtocolMessage for ToWorker {
    const NAMES: &'static [&'static str] = &Self::NAMES;
}

/// What a body or a line turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<M> {
    /// The body held a message that this version of the protocol knows.
    Message(M),
    /// A message of a later version: to be skipped and counted.
    Unknown {
        /// `message 57` in a frame, the message's own name in a line of JSON.
        name: String,
    },
}

/// Why a message does not become bytes, in either spelling.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It is larger than a frame may be.
    #[error("the message takes {bytes} bytes, and a frame holds at most {FRAME_MAX_BYTES}")]
    TooLarge {
        /// The size of the encoded body in bytes, without its length prefix.
        bytes: usize,
    },
    /// A `bytes` field holds something that is not JSON, and the message is to be a line of JSON.
    #[error("the message cannot be written as a line of JSON: {0}")]
    NotJson(serde_json::Error),
    /// The library for bincode refuses. No message of version 1 can make it do so.
    #[error("the message cannot be encoded: {0}")]
    Refused(String),
}

/// Why a body is not a message.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Fewer than the four bytes of the variant index.
    #[error("the body has {bytes} bytes, too few for a message's index")]
    TooShort {
        /// The length of the body, in bytes.
        bytes: usize,
    },
    /// The body breaks off, has a bad tag, a hostile length or text that is not UTF-8.
    #[error("{name} cannot be decoded: {reason}")]
    Malformed {
        /// The name of the variant that the index stands for.
        name: &'static str,
        /// What bincode found wrong, in its own words.
        reason: String,
    },
    /// The body goes on after the message has ended.
    #[error("{name} ends after {consumed} of {bytes} bytes")]
    TrailingBytes {
        /// The name of the variant that the index stands for.
        name: &'static str,
        /// How many bytes of the body the message took.
        consumed: usize,
        /// The length of the whole body, in bytes.
        bytes: usize,
    },
}

fn configuration() -> impl bincode::config::Config {
    bincode::config::legacy().with_limit::<DECODE_LIMIT_BYTES>()
}

/// Appends the message's body to `out`.
///
/// # Errors
/// None that a message of version 1 can cause. The length is not checked here: see [`crate::frame`].
pub fn encode_into<M: ProtocolMessage>(message: &M, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    bincode::encode_into_std_write(message, out, configuration())
        .map(|_| ())
        .map_err(|error| EncodeError::Refused(error.to_string()))
}

/// Reads one body. All of it must be used up.
///
/// # Errors
/// When the bytes are not a message of this direction.
pub fn decode<M: ProtocolMessage>(body: &[u8]) -> Result<Decoded<M>, CodecError> {
    decode_with(body, FrameBytes::default())
}

/// Reads one body, which goes on to hold the large payloads of its message.
///
/// # Errors
/// When the bytes are not a message of this direction.
pub fn decode_shared<M: ProtocolMessage>(body: &Bytes) -> Result<Decoded<M>, CodecError> {
    decode_with(body, FrameBytes(body.clone()))
}

fn decode_with<M: ProtocolMessage>(body: &[u8], frame: FrameBytes) -> Result<Decoded<M>, CodecError> {
    let Some(index) = body.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)) else {
        return Err(CodecError::TooShort { bytes: body.len() });
    };
    let Some(name) = M::NAMES.get(index as usize) else {
        return Ok(Decoded::Unknown { name: format!("message {index}") });
    };
    let (message, consumed) = bincode::decode_from_slice_with_context(body, configuration(), frame)
        .map_err(|error| CodecError::Malformed { name, reason: error.to_string() })?;
    if consumed != body.len() {
        return Err(CodecError::TrailingBytes { name, consumed, bytes: body.len() });
    }
    Ok(Decoded::Message(message))
}

/// The frame that a message is read from. Nothing else knows it.
#[derive(Debug, Default)]
pub struct FrameBytes(Bytes);

/// Reads a length and the bytes: shared with the frame where they are many.
fn payload<D: Decoder<Context = FrameBytes>>(decoder: &mut D) -> Result<Bytes, error::DecodeError> {
    let length = u64::decode(decoder)?;
    let length = usize::try_from(length).map_err(|_| error::DecodeError::OutsideUsizeRange(length))?;
    decoder.claim_container_read::<u8>(length)?;
    let address = decoder.reader().peek_read(length).map(|bytes| bytes.as_ptr().addr());
    let frame = &decoder.context().0;
    let start = address.and_then(|address| address.checked_sub(frame.as_ptr().addr()));
    let range = start.map(|start| start..start + length).filter(|range| range.end <= frame.len());
    if let Some(range) = range
        && length >= SHARED_MIN_BYTES
    {
        let shared = frame.slice(range);
        decoder.reader().consume(length);
        return Ok(shared);
    }
    let mut bytes = vec![0; length];
    decoder.reader().read(&mut bytes)?;
    Ok(Bytes::from(bytes))
}

/// Bytes that may be shared are a length and the bytes, like a list of bytes.
macro_rules! payloads {
    ($($name:ident),*) => {$(
        impl Encode for $name {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), error::EncodeError> {
                self.0[..].encode(encoder)
            }
        }

        impl Decode<FrameBytes> for $name {
            fn decode<D: Decoder<Context = FrameBytes>>(
                decoder: &mut D,
            ) -> Result<Self, error::DecodeError> {
                payload(decoder).map(Self)
            }
        }

        bincode::impl_borrow_decode_with_context!($name, FrameBytes);
    )*};
}

payloads!(JsonBytes, TextBytes);
