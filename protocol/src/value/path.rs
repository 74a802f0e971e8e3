//! Where something stands in a value, as a person writes it: `result.items[3].price`.

use std::ops::Range;

use super::clean::replace_unstorable;
use super::tokens::{JsonToken, tokens};

/// A path longer than this is cut.
const PATH_MAX_CHARS: usize = 200;

/// One step from the whole to a place in it.
enum PathStep {
    /// An array, and which of its values is next.
    Item(usize),
    /// An object, and the key whose value is next, once it is known.
    Member(Option<Range<usize>>),
}

/// The path to the token that begins at `offset`. With an empty `root` it begins with the first key.
pub(super) fn path_to(json: &[u8], offset: usize, root: &str) -> String {
    let steps = steps_to(json, offset);
    let mut path = root.to_owned();
    for step in &steps {
        match step {
            PathStep::Item(number) => path.push_str(&format!("[{number}]")),
            PathStep::Member(Some(key)) => push_key(&mut path, json.get(key.clone()).unwrap_or_default()),
            PathStep::Member(None) => {}
        }
        if let Some((cut, _)) = path.char_indices().nth(PATH_MAX_CHARS) {
            path.truncate(cut);
            path.push('…');
            break;
        }
    }
    let is_key = matches!(steps.last(), Some(PathStep::Member(None)))
        && json.get(offset).is_some_and(|byte| *byte == b'"');
    match (is_key, path.is_empty()) {
        (true, true) => "a key".to_owned(),
        (true, false) => format!("a key of {path}"),
        (false, _) => path,
    }
}

fn steps_to(json: &[u8], offset: usize) -> Vec<PathStep> {
    let mut steps = Vec::new();
    for (token, place) in tokens(json).take_while(|(_, place)| place.start < offset) {
        match (token, steps.last_mut()) {
            (JsonToken::Open(true), _) => steps.push(PathStep::Member(None)),
            (JsonToken::Open(false), _) => steps.push(PathStep::Item(0)),
            (JsonToken::Close, _) => drop(steps.pop()),
            (JsonToken::Comma, Some(PathStep::Item(number))) => *number += 1,
            (JsonToken::Comma, Some(PathStep::Member(key))) => *key = None,
            (JsonToken::String, Some(PathStep::Member(key @ None))) => *key = Some(place),
            (JsonToken::String | JsonToken::Number | JsonToken::Colon | JsonToken::Comma, _) => {}
        }
    }
    steps
}

/// True for a key that stands in a path as it is, behind a point; any other stands as JSON, in brackets.
pub fn is_plain_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `.name`, or `["two words"]`. `key` is JSON, its quotes included.
fn push_key(path: &mut String, key: &[u8]) {
    let text = String::from_utf8_lossy(key);
    let name = text.trim_matches('"');
    match (is_plain_key(name), path.is_empty()) {
        (true, true) => path.push_str(name),
        (true, false) => path.push_str(&format!(".{name}")),
        (false, _) => path.push_str(&format!("[{}]", replace_unstorable(&text))),
    }
}
