//! Where one message ends and the next begins, in either spelling, and which spelling it is.

use bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use super::{Incoming, Piece, Spelling, WholeMessage, WireError};
use crate::codec::ProtocolMessage;
use crate::frame::{BadLength, body_length, length_delimited};
use crate::limits::{FRAME_HEADER_BYTES, FRAME_MAX_BYTES, POLLUTION_QUOTE_MAX_BYTES, PREAMBLE_MAX_BYTES};

/// What the first line of a worker in JSON lines mode begins with.
const JSON_HELLO: &[u8] = b"{\"Hello\"";

/// A buffer that held a message larger than this is given back, so that one large result does not cost
/// its size for as long as the worker lives.
const BUFFER_KEPT_MAX_BYTES: usize = 1024 * 1024;

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
