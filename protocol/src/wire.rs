//! One side of a conversation: bytes in, messages out, in the spelling the worker chose.
//!
//! A worker's first byte decides: 0x00 is a frame, `{"Hello"` at the start of a line is JSON lines, and
//! anything else before Hello is preamble, kept for the log. Later, a first byte other than 0x00 where a
//! frame should begin is stray text, and recognised at once.

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use crate::codec::{CodecError, Decoded, EncodeError, ProtocolMessage, decode_shared};
use crate::frame::{BadLength, append_frame, body_length, length_delimited};
use crate::json::{self, JsonError};
use crate::limits::{FRAME_HEADER_BYTES, FRAME_MAX_BYTES, POLLUTION_QUOTE_MAX_BYTES, PREAMBLE_MAX_BYTES};
use crate::message::ToSupervisor;

/// What the first line of a worker in JSON lines mode begins with.
const JSON_HELLO: &[u8] = b"{\"Hello\"";

/// A buffer that held a message larger than this is given back, so that one large result does not cost
/// its size for as long as the worker lives.
const BUFFER_KEPT_MAX_BYTES: usize = 1024 * 1024;

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

/// Cuts the bytes of a worker's stdout into messages.
#[derive(Debug)]
pub struct WireDecoder {
    state: DecoderState,
    frames: LengthDelimitedCodec,
}

/// `searched` is how much of the input was already looked through in vain for the end of its line.
#[derive(Clone, Copy, Debug)]
enum DecoderState {
    /// No message yet; so many bytes of preamble were passed over.
    Preamble { passed: usize, searched: usize },
    /// The worker speaks frames.
    Frames,
    /// The worker speaks lines of JSON.
    Lines { searched: usize },
}

impl From<Spelling> for DecoderState {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Binary => Self::Frames,
            Spelling::JsonLines => Self::Lines { searched: 0 },
        }
    }
}

impl Default for WireDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl WireDecoder {
    /// A decoder that waits for the worker's first byte to learn the spelling.
    pub fn new() -> Self {
        Self { state: DecoderState::Preamble { passed: 0, searched: 0 }, frames: length_delimited() }
    }

    /// A decoder that knows the spelling.
    pub fn decided(spelling: Spelling) -> Self {
        Self { state: spelling.into(), frames: length_delimited() }
    }

    /// The spelling the worker chose, once its first message has begun.
    pub fn spelling(&self) -> Option<Spelling> {
        match self.state {
            DecoderState::Preamble { .. } => None,
            DecoderState::Frames => Some(Spelling::Binary),
            DecoderState::Lines { .. } => Some(Spelling::JsonLines),
        }
    }

    /// Takes the next message off the front of `input` and reads it, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes break the protocol. The stream is of no use after that.
    pub fn next<M: ProtocolMessage>(
        &mut self,
        input: &mut BytesMut,
    ) -> Result<Option<Incoming<M>>, WireError> {
        Ok(match self.cut(input)? {
            Some(Piece::Message(message)) => Some(Incoming::Message(message.read()?)),
            Some(Piece::Preamble(text)) => Some(Incoming::Preamble(text)),
            None => None,
        })
    }

    /// Takes the next message off the front of `input` unread, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes break the protocol. The stream is of no use after that.
    pub fn cut(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, WireError> {
        if let DecoderState::Preamble { passed, searched } = self.state {
            match first_message(input) {
                Some(spelling) => self.state = spelling.into(),
                None => return self.pass_preamble(passed, searched, input),
            }
        }
        match self.state {
            DecoderState::Preamble { .. } => Ok(None),
            DecoderState::Frames => self.next_frame(input),
            DecoderState::Lines { searched } => self.next_line(searched, input),
        }
    }

    /// Judges what is left when the stream has ended and [`Self::next`] wants more: text of the preamble
    /// without a line's end is given, nothing is fine, and a message that broke off is an error.
    ///
    /// # Errors
    /// When the stream ended inside a message.
    pub fn end(&self, rest: &[u8]) -> Result<Option<String>, WireError> {
        match self.state {
            DecoderState::Preamble { .. } if rest.is_empty() => Ok(None),
            DecoderState::Preamble { .. } => Ok(Some(String::from_utf8_lossy(rest).trim_end().to_owned())),
            DecoderState::Frames if rest.is_empty() => Ok(None),
            DecoderState::Lines { .. } if rest.trim_ascii().is_empty() => Ok(None),
            DecoderState::Frames | DecoderState::Lines { .. } => {
                Err(WireError::Truncated { bytes: rest.len() })
            }
        }
    }

    /// Passes over one line of text before Hello, or the part of it that stands before a frame.
    fn pass_preamble(
        &mut self,
        passed: usize,
        searched: usize,
        input: &mut BytesMut,
    ) -> Result<Option<Piece>, WireError> {
        let end = input[searched..].iter().position(|&byte| byte == 0 || byte == b'\n');
        let take = match end.map(|at| searched + at) {
            Some(at) if input[at] == b'\n' => at + 1,
            Some(at) => at,
            None => input.len(),
        };
        if passed + take > PREAMBLE_MAX_BYTES {
            let last = take.saturating_sub(POLLUTION_QUOTE_MAX_BYTES);
            return Err(WireError::PreambleTooLong { quoted: quote(&input[last..take]) });
        }
        if end.is_none() {
            // An unfinished line may still turn out to be Hello.
            self.state = DecoderState::Preamble { passed, searched: take };
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&input[..take]).trim_end().to_owned();
        input.advance(take);
        self.state = DecoderState::Preamble { passed: passed + take, searched: 0 };
        Ok(Some(Piece::Preamble(text)))
    }

    fn next_frame(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, WireError> {
        let Some(&first) = input.first() else { return Ok(None) };
        if first != 0 {
            return Err(WireError::Polluted { quoted: quote(input) });
        }
        let Some(header) = input.first_chunk::<FRAME_HEADER_BYTES>() else { return Ok(None) };
        let whole = FRAME_HEADER_BYTES + body_length(*header)?;
        // The codec is asked only once the frame is whole, so that it never holds a header back and the
        // check of the first byte above always stands at the border of a frame.
        if input.len() < whole {
            input.reserve(whole - input.len());
            return Ok(None);
        }
        let body = self.frames.decode(input).map_err(|_| BadLength { bytes: whole })?;
        if input.is_empty() && whole > BUFFER_KEPT_MAX_BYTES {
            *input = BytesMut::new();
        }
        Ok(body
            .map(|bytes| Piece::Message(WholeMessage { spelling: Spelling::Binary, bytes: bytes.freeze() })))
    }

    fn next_line(&mut self, mut searched: usize, input: &mut BytesMut) -> Result<Option<Piece>, WireError> {
        loop {
            let found = input[searched..].iter().position(|&byte| byte == b'\n');
            let length = found.map_or(input.len(), |at| searched + at);
            if length > FRAME_MAX_BYTES {
                return Err(BadLength { bytes: length }.into());
            }
            if found.is_none() {
                self.state = DecoderState::Lines { searched: length };
                return Ok(None);
            }
            let bytes = input.split_to(length + 1);
            let line = bytes.trim_ascii();
            searched = 0;
            self.state = DecoderState::Lines { searched };
            match line.first().copied() {
                // A blank line is nobody's message and nobody's fault.
                None => {}
                Some(b'{') => {
                    let (spelling, bytes) = (Spelling::JsonLines, bytes.freeze());
                    return Ok(Some(Piece::Message(WholeMessage { spelling, bytes })));
                }
                Some(_) => return Err(WireError::Polluted { quoted: quote(line) }),
            }
        }
    }
}

/// The spelling of the message that begins here, if one does.
fn first_message(input: &[u8]) -> Option<Spelling> {
    if input.first() == Some(&0) {
        Some(Spelling::Binary)
    } else if input.starts_with(JSON_HELLO) {
        Some(Spelling::JsonLines)
    } else {
        None
    }
}

/// Up to 256 bytes of what was found, as text: what stands before the next frame, if one follows.
fn quote(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(&text[..text.len().min(POLLUTION_QUOTE_MAX_BYTES)]).into_owned()
}
