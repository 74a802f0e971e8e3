//! Bodies on a byte stream: a u32 big-endian length, then so many bytes.
//!
//! The supervisor cuts frames with tokio-util's [`LengthDelimitedCodec`] (through [`crate::wire`]); a
//! worker reads and writes them with the blocking [`read_body`] and [`append_frame`]. Nothing here
//! knows what a body means.

use std::io::{self, Read};

use tokio_util::codec::LengthDelimitedCodec;

use crate::codec::{CodecError, Message, encode_into};
use crate::limits::{FRAME_HEADER_BYTES, FRAME_MAX_BYTES};

/// The codec of the supervisor's side.
pub fn length_delimited() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(FRAME_MAX_BYTES).new_codec()
}

/// Why a frame cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Io(#[from] io::Error),
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame, {missing} bytes before its end")]
    Truncated {
        /// How many bytes are missing.
        missing: usize,
    },
    /// The length is 0 or too large.
    #[error("a frame of {bytes} bytes is not between 1 and {FRAME_MAX_BYTES}")]
    BadLength {
        /// The length in the header or of the message.
        bytes: usize,
    },
    /// The body is no message, or the message has no body.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Checks a length before anything is allocated for it.
///
/// # Errors
/// When it is 0 or above the limit.
pub fn check_length(bytes: usize) -> Result<(), FrameError> {
    if bytes == 0 || bytes > FRAME_MAX_BYTES { Err(FrameError::BadLength { bytes }) } else { Ok(()) }
}

/// Reads one body into `body`, replacing what it held. `Ok(false)` is the end of the stream between frames.
///
/// # Errors
/// When the stream fails, ends inside a frame, or the length is out of bounds.
pub fn read_body(stream: &mut impl Read, body: &mut Vec<u8>) -> Result<bool, FrameError> {
    let mut header = [0_u8; FRAME_HEADER_BYTES];
    let got = read_full(stream, &mut header)?;
    if got == 0 {
        return Ok(false);
    }
    if got < header.len() {
        return Err(FrameError::Truncated { missing: header.len() - got });
    }
    let bytes = u32::from_be_bytes(header) as usize;
    check_length(bytes)?;
    body.clear();
    body.resize(bytes, 0);
    let got = read_full(stream, body)?;
    if got < bytes {
        return Err(FrameError::Truncated { missing: bytes - got });
    }
    Ok(true)
}

/// Appends the message as one frame to `out`. On an error `out` is as it was.
///
/// # Errors
/// When the message does not fit in a frame.
pub fn append_frame<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    let appended = encode_into(message, out).map_err(FrameError::from).and_then(|()| {
        let bytes = out.len() - start - FRAME_HEADER_BYTES;
        check_length(bytes)?;
        u32::try_from(bytes).map_err(|_| FrameError::BadLength { bytes })
    });
    match appended {
        Ok(bytes) => {
            out[start..start + FRAME_HEADER_BYTES].copy_from_slice(&bytes.to_be_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Reads until the buffer is full or the stream ends; gives how much it read.
fn read_full(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match stream.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(bytes) => got += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
