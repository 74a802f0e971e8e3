//! JSON text as a row of tokens.

use std::ops::Range;

/// What stands at a place of JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonToken {
    /// `{` or `[`; true for an object.
    Open(bool),
    /// The end of an object or an array.
    Close,
    /// The `,` between two members.
    Comma,
    /// The `:` between a key and its value.
    Colon,
    /// A string with its quotes: a key or a value.
    String,
    /// A number, with its sign and exponent.
    Number,
}

/// The tokens with their places, in order. Blanks, `true`, `false` and `null` are passed over.
pub fn tokens(json: &[u8]) -> JsonTokens<'_> {
    JsonTokens { bytes: json, at: 0 }
}

/// The iterator that [`tokens`] gives.
#[derive(Debug)]
pub struct JsonTokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for JsonTokens<'_> {
    type Item = (JsonToken, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.at;
            let token = match self.bytes.get(start)? {
                b'{' => JsonToken::Open(true),
                b'[' => JsonToken::Open(false),
                b'}' | b']' => JsonToken::Close,
                b',' => JsonToken::Comma,
                b':' => JsonToken::Colon,
                b'"' => JsonToken::String,
                b'-' | b'0'..=b'9' => JsonToken::Number,
                _ => {
                    self.at += 1;
                    continue;
                }
            };
            self.at = match token {
                JsonToken::String => end_of_string(self.bytes, start),
                JsonToken::Number => end_of_number(self.bytes, start),
                JsonToken::Open(_) | JsonToken::Close | JsonToken::Comma | JsonToken::Colon => start + 1,
            };
            return Some((token, start..self.at));
        }
    }
}

/// Behind the closing quote of the string that begins here.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    start + rest.iter().take_while(|byte| part(byte)).count()
}
