//! Bodies on a byte stream: a u32 big-endian length, then so many bytes.
//!
//! The supervisor cuts frames with tokio-util's [`LengthDelimitedCodec`] (through [`crate::wire`]); a
//! worker reads and writes them with the blocking [`read_body`] and [`append_frame`]. Nothing here
//! knows what a body means.

use std::io::{self, Read};

use tokio_util::codec::LengthDelimitedCodec;

use crate::codec::{EncodeError, ProtocolMessage, encode_into};
use crate::limits::{FRAME_HEADER_BYTES, FRAME_MAX_BYTES};

/// Why no frame can be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Reading from the stream failed.
    #[error("the stream failed: {0}")]
    Io(#[from] io::Error),
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame, {missing} bytes before its end")]
    Truncated {
        /// How many bytes of the frame never came.
        missing: usize,
    },
    /// The length is 0 or too large.
    #[error(transparent)]
    BadLength(#[from] BadLength),
}

/// A length that no frame and no line may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {bytes} bytes is not between 1 and {FRAME_MAX_BYTES}")]
pub struct BadLength {
    /// The length that was announced, in bytes.
    pub bytes: usize,
}

/// The codec of the supervisor's side.
pub fn length_delimited() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(FRAME_MAX_BYTES).new_codec()
}

/// The length a header announces, checked before anything is allocated for it.
///
/// # Errors
/// When it is 0 or above the limit.
pub fn body_length(header: [u8; FRAME_HEADER_BYTES]) -> Result<usize, BadLength> {
    let bytes = u32::from_be_bytes(header) as usize;
    if bytes == 0 || bytes > FRAME_MAX_BYTES { Err(BadLength { bytes }) } else { Ok(bytes) }
}

/// Reads one body into `body`, replacing what it held. `Ok(false)` is the end of the stream between frames.
///
/// Memory is taken as bytes arrive, not as the header promises. Give it a buffered stream: a frame takes
/// two reads.
///
/// # Errors
/// When the stream fails, ends inside a frame, or the length is out of bounds.
pub fn read_body(stream: &mut impl Read, body: &mut Vec<u8>) -> Result<bool, FrameError> {
    body.clear();
    stream.take(FRAME_HEADER_BYTES as u64).read_to_end(body)?;
    if body.is_empty() {
        return Ok(false);
    }
    let Some(header) = body.first_chunk() else {
        return Err(FrameError::Truncated { missing: FRAME_HEADER_BYTES - body.len() });
    };
    let bytes = body_length(*header)?;
    body.clear();
    let got = stream.take(bytes as u64).read_to_end(body)?;
    if got < bytes { Err(FrameError::Truncated { missing: bytes - got }) } else { Ok(true) }
}

/// Appends the message as one frame to `out`. On an error `out` is as it was.
///
/// # Errors
/// When the message does not fit in a frame.
pub fn append_frame<M: ProtocolMessage>(message: &M, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let appended = append_unchecked(message, start, out);
    if appended.is_err() {
        out.truncate(start);
    }
    appended
}

fn append_unchecked<M: ProtocolMessage>(
    message: &M,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let body = start + FRAME_HEADER_BYTES;
    out.resize(body, 0);
    encode_into(message, out)?;
    let bytes = out.len() - body;
    let header = u32::try_from(bytes).ok().filter(|_| bytes <= FRAME_MAX_BYTES);
    let header = header.ok_or(EncodeError::TooLarge { bytes })?;
    out[start..body].copy_from_slice(&header.to_be_bytes());
    Ok(())
}
