//! Dead letters by name: one has the id of the execution it was meant for, if that can be read, and always a key.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::facts::DeadLetter;

/// What a letter is called whatever it holds. Letters of the same bytes have the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterKey(u64);

/// Twelve digits: of a million letters it is not to be expected that two have the same.
const KEY_MASK: u64 = (1 << 48) - 1;

impl LetterKey {
    /// The key of a message, by FNV-1a: it must be the same in every version, and nobody gains by two that are.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let hash = message.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self((hash ^ (hash >> 48)) & KEY_MASK)
    }
}

impl std::fmt::Display for LetterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// A text that is no key of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has twelve hexadecimal digits, as `supervisor dead list` shows it")]
pub struct InvalidLetterKey;

impl std::str::FromStr for LetterKey {
    type Err = InvalidLetterKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_key = text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let digits = Some(text).filter(|_| is_key).ok_or(InvalidLetterKey)?;
        u64::from_str_radix(digits, 16).map(Self).map_err(|_| InvalidLetterKey)
    }
}

impl Serialize for LetterKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which dead letters are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LetterChoice {
    /// All there are.
    All,
    /// Those of one execution.
    Execution(Uuid),
    /// Those of one content.
    Key(LetterKey),
}

impl LetterChoice {
    /// Whether a letter is among them.
    #[must_use]
    pub fn takes(self, execution_id: Option<Uuid>, key: LetterKey) -> bool {
        match self {
            Self::All => true,
            Self::Execution(id) => execution_id == Some(id),
            Self::Key(wanted) => key == wanted,
        }
    }

    /// What the first digits of an id or a key may mean among these letters.
    #[must_use]
    pub fn beginning_with(digits: &str, letters: &[DeadLetter]) -> BTreeSet<Self> {
        let digits = digits.replace('-', "").to_ascii_lowercase();
        let mut found = BTreeSet::new();
        for letter in letters {
            match letter.execution_id {
                Some(id) if id.simple().to_string().starts_with(&digits) => {
                    found.insert(Self::Execution(id));
                }
                Some(_) | None if letter.key.to_string().starts_with(&digits) => {
                    found.insert(Self::Key(letter.key));
                }
                Some(_) | None => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_for_ever() {
        assert_eq!(LetterKey::of(b"").to_string(), "9ce48422e8d7");
        assert_eq!(LetterKey::of(b"nonsense"), LetterKey::of(b"nonsense"));
        assert_ne!(LetterKey::of(b"nonsense"), LetterKey::of(b"nonsensf"));
        assert_eq!("9ce48422e8d7".parse(), Ok(LetterKey::of(b"")));
        for text in ["", "9ce4", "9ce48422e8d7a", "+ce48422e8d7"] {
            assert_eq!(text.parse::<LetterKey>(), Err(InvalidLetterKey), "{text}");
        }
    }

    #[test]
    fn a_beginning_means_what_begins_so() {
        let letter = |execution_id: Option<&str>, message: &str| DeadLetter {
            number: 1,
            queue: "q".to_owned(),
            key: LetterKey::of(message.as_bytes()),
            execution_id: execution_id.map(|id| id.parse().unwrap()),
            reason: String::new(),
            message: message.to_owned(),
        };
        let id = "0198aa00-0000-7000-8000-000000000001";
        let letters = [letter(Some(id), "a"), letter(Some(id), "b"), letter(None, "c"), letter(None, "c")];
        let found =
            |digits: &str| LetterChoice::beginning_with(digits, &letters).into_iter().collect::<Vec<_>>();
        assert_eq!(found("0198aa00-0000"), [LetterChoice::Execution(id.parse().unwrap())]);
        let key = letters[2].key;
        assert_eq!(found(&key.to_string()), [LetterChoice::Key(key)]);
        assert_eq!(found(&key.to_string()[..8]), [LetterChoice::Key(key)]);
        assert_eq!(found(&letters[1].key.to_string()), [LetterChoice::Key(letters[1].key)]);
        assert_eq!(found("ffffff"), []);
        assert!(LetterChoice::All.takes(None, key) && LetterChoice::Key(key).takes(None, key));
        assert!(!LetterChoice::Execution(id.parse().unwrap()).takes(None, key));
    }
}
