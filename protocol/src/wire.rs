//! One side of a conversation: bytes in, messages out, in the spelling the worker chose.
//!
//! A worker's first byte decides: 0x00 is a frame, `{"Hello"` at the start of a line is JSON lines, and
//! anything else before Hello is preamble, kept for the log. Later, a first byte other than 0x00 where a
//! frame should begin is stray text, and recognised at once.

use bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use crate::codec::{CodecError, Decoded, Message, decode};
use crate::frame::{FrameError, append_frame, length_delimited};
use crate::json::{self, JsonError};
use crate::limits::{FRAME_HEADER_BYTES, FRAME_MAX_BYTES, POLLUTION_QUOTE_MAX_BYTES, PREAMBLE_MAX_BYTES};

/// How messages are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// Length-delimited bincode.
    Binary,
    /// One line of JSON per message.
    JsonLines,
}

impl Spelling {
    /// Appends the message in this spelling to `out`. On an error `out` is as it was.
    ///
    /// # Errors
    /// When the message does not fit in a frame, or holds bytes that are not JSON in JSON lines mode.
    pub fn append<M: Message>(self, message: &M, out: &mut Vec<u8>) -> Result<(), WireError> {
        match self {
            Self::Binary => append_frame(message, out).map_err(|error| match error {
                FrameError::BadLength { bytes } => WireError::BadLength { bytes },
                FrameError::Codec(error) => WireError::Codec(error),
                FrameError::Io(_) | FrameError::Truncated { .. } => {
                    WireError::Codec(CodecError::Encode(error.to_string()))
                }
            }),
            Self::JsonLines => {
                let line = json::to_line(message)?;
                if line.len() > FRAME_MAX_BYTES {
                    return Err(WireError::BadLength { bytes: line.len() });
                }
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
                Ok(())
            }
        }
    }
}

/// What a worker broke.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Bytes on stdout that are no frame.
    #[error("stray bytes on the worker's stdout where a frame should begin: {quoted:?}")]
    Polluted {
        /// Up to 256 of them, as text.
        quoted: String,
    },
    /// More text before Hello than anyone prints by accident.
    #[error("more than {PREAMBLE_MAX_BYTES} bytes of text before Hello, the last: {quoted:?}")]
    PreambleTooLong {
        /// Up to 256 of them, as text.
        quoted: String,
    },
    /// A frame's length is 0 or too large.
    #[error("a frame of {bytes} bytes is not between 1 and {FRAME_MAX_BYTES}")]
    BadLength {
        /// The length.
        bytes: usize,
    },
    /// A frame's body is no message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A line is no message.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl WireError {
    /// True when the fault is text on stdout rather than a broken frame.
    pub fn is_pollution(&self) -> bool {
        match self {
            Self::Polluted { .. } | Self::PreambleTooLong { .. } => true,
            Self::BadLength { .. } | Self::Codec(_) | Self::Json(_) => false,
        }
    }
}

/// Something a worker's stdout held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<M> {
    /// A message, or one of a later version.
    Message(Decoded<M>),
    /// Text before Hello.
    Preamble(String),
}

/// Cuts the bytes of a worker's stdout into messages.
#[derive(Debug)]
pub struct WireDecoder {
    state: State,
    frames: LengthDelimitedCodec,
}

#[derive(Debug)]
enum State {
    /// No message yet; so many bytes of preamble were passed over.
    Undecided {
        preamble_bytes: usize,
    },
    Decided {
        spelling: Spelling,
        searched: usize,
    },
}

impl Default for WireDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl WireDecoder {
    /// A decoder that waits for the worker's first byte to learn the spelling.
    pub fn new() -> Self {
        Self { state: State::Undecided { preamble_bytes: 0 }, frames: length_delimited() }
    }

    /// A decoder that knows the spelling.
    pub fn decided(spelling: Spelling) -> Self {
        Self { state: State::Decided { spelling, searched: 0 }, frames: length_delimited() }
    }

    /// The spelling the worker chose, once its first message has begun.
    pub fn spelling(&self) -> Option<Spelling> {
        match self.state {
            State::Undecided { .. } => None,
            State::Decided { spelling, .. } => Some(spelling),
        }
    }

    /// Takes the next message off the front of `input`, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes break the protocol. The stream is of no use after that.
    pub fn next<M: Message>(&mut self, input: &mut BytesMut) -> Result<Option<Incoming<M>>, WireError> {
        if let State::Undecided { preamble_bytes } = self.state
            && let Some(text) = self.pass_preamble(preamble_bytes, input)?
        {
            return Ok(Some(Incoming::Preamble(text)));
        }
        match self.state {
            State::Undecided { .. } => Ok(None),
            State::Decided { spelling: Spelling::Binary, .. } => self.next_frame(input),
            State::Decided { spelling: Spelling::JsonLines, searched } => self.next_line(searched, input),
        }
    }

    /// Passes over text before Hello, a line at a time, and settles the spelling when it can.
    fn pass_preamble(&mut self, passed: usize, input: &mut BytesMut) -> Result<Option<String>, WireError> {
        const JSON_HELLO: &[u8] = b"{\"Hello\"";
        let Some(&first) = input.first() else { return Ok(None) };
        if first == 0 {
            self.state = State::Decided { spelling: Spelling::Binary, searched: 0 };
            return Ok(None);
        }
        if input.starts_with(JSON_HELLO) {
            self.state = State::Decided { spelling: Spelling::JsonLines, searched: 0 };
            return Ok(None);
        }
        let end = input.iter().position(|&byte| byte == 0 || byte == b'\n');
        let take = match end {
            Some(at) if input[at] == b'\n' => at + 1,
            Some(at) => at,
            None if input.len() + passed > PREAMBLE_MAX_BYTES => input.len(),
            // An unfinished line may still turn out to be Hello.
            None => return Ok(None),
        };
        if passed + take > PREAMBLE_MAX_BYTES {
            return Err(WireError::PreambleTooLong { quoted: quote(input) });
        }
        let text = String::from_utf8_lossy(&input[..take]).trim_end().to_owned();
        input.advance(take);
        self.state = State::Undecided { preamble_bytes: passed + take };
        Ok(Some(text))
    }

    fn next_frame<M: Message>(&mut self, input: &mut BytesMut) -> Result<Option<Incoming<M>>, WireError> {
        let Some(&first) = input.first() else { return Ok(None) };
        if first != 0 {
            return Err(WireError::Polluted { quoted: quote(input) });
        }
        let Some(header) = input.first_chunk::<FRAME_HEADER_BYTES>() else { return Ok(None) };
        let bytes = u32::from_be_bytes(*header) as usize;
        if bytes == 0 || bytes > FRAME_MAX_BYTES {
            return Err(WireError::BadLength { bytes });
        }
        // The codec is asked only once the frame is whole, so that it never holds a header back and the
        // check of the first byte above always stands at the border of a frame.
        if input.len() < FRAME_HEADER_BYTES + bytes {
            input.reserve(FRAME_HEADER_BYTES + bytes - input.len());
            return Ok(None);
        }
        match self.frames.decode(input) {
            Ok(Some(body)) => Ok(Some(Incoming::Message(decode(&body)?))),
            Ok(None) => Ok(None),
            Err(_) => Err(WireError::BadLength { bytes }),
        }
    }

    fn next_line<M: Message>(
        &mut self,
        searched: usize,
        input: &mut BytesMut,
    ) -> Result<Option<Incoming<M>>, WireError> {
        let found = input[searched..].iter().position(|&byte| byte == b'\n').map(|at| searched + at);
        let Some(end) = found else {
            if input.len() > FRAME_MAX_BYTES {
                return Err(WireError::BadLength { bytes: input.len() });
            }
            self.state = State::Decided { spelling: Spelling::JsonLines, searched: input.len() };
            return Ok(None);
        };
        self.state = State::Decided { spelling: Spelling::JsonLines, searched: 0 };
        let line = input.split_to(end + 1);
        let text = std::str::from_utf8(&line).map_err(JsonError::malformed)?.trim();
        if text.is_empty() {
            return self.next_line(0, input);
        }
        if !text.starts_with('{') {
            return Err(WireError::Polluted { quoted: quote(&line) });
        }
        Ok(Some(Incoming::Message(json::from_line(text)?)))
    }
}

/// Up to 256 bytes of what was found, as text.
fn quote(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(POLLUTION_QUOTE_MAX_BYTES)]).into_owned()
}
