//! Where something stands in a value, as a person writes it: `.items[3].price`.

use std::ops::Range;

use super::tokens::{Token, tokens};

/// The longest path that is told, and the longest key in one.
const PATH_MAX_BYTES: usize = 200;
const KEY_MAX_CHARS: usize = 40;

/// What is open around a place.
enum Frame {
    /// An array, and which of its values is next.
    Array(usize),
    /// An object, and the key whose value is next, once it is known.
    Object(Option<Range<usize>>),
}

/// The path to the token that begins at `offset`. Of a key it is the path of its object.
pub(super) fn path_to(json: &str, offset: usize) -> String {
    let mut frames = Vec::new();
    for (token, place) in tokens(json) {
        if place.start >= offset {
            break;
        }
        match (token, frames.last_mut()) {
            (Token::Open(true), _) => frames.push(Frame::Object(None)),
            (Token::Open(false), _) => frames.push(Frame::Array(0)),
            (Token::Close, _) => drop(frames.pop()),
            (Token::Comma, Some(Frame::Array(index))) => *index += 1,
            (Token::Comma, Some(Frame::Object(key))) => *key = None,
            (Token::String, Some(Frame::Object(key @ None))) => *key = Some(place),
            (Token::String | Token::Number | Token::Colon | Token::Comma, _) => {}
        }
    }
    let mut path = String::new();
    for frame in &frames {
        if path.len() > PATH_MAX_BYTES {
            path.push('…');
            break;
        }
        match frame {
            Frame::Array(index) => path.push_str(&format!("[{index}]")),
            Frame::Object(Some(key)) => push_key(&mut path, json.get(key.clone()).unwrap_or_default()),
            Frame::Object(None) => {}
        }
    }
    path
}

/// Appends a key, given with its quotes.
fn push_key(path: &mut String, quoted: &str) {
    let key = quoted.trim_matches('"');
    let plain = |char: char| char.is_alphanumeric() || char == '_' || char == '-';
    if !key.is_empty() && key.len() <= KEY_MAX_CHARS && key.chars().all(plain) {
        path.push('.');
        path.push_str(key);
    } else {
        let cut: String = key.chars().take(KEY_MAX_CHARS).collect();
        let more = if cut.len() < key.len() { "…" } else { "" };
        path.push_str(&format!("[\"{cut}{more}\"]"));
    }
}
