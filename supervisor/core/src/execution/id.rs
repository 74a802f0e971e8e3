//! Ids as people type them: whole, or as much of one as tells it from the others.

use std::str::FromStr;

use uuid::Uuid;

/// An execution's id, or its first digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdOrPrefix {
    /// The whole id.
    Id(Uuid),
    /// The first digits of one.
    Prefix(IdPrefix),
}

/// The first digits of an id: all ids that begin with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdPrefix {
    /// The first id that begins so.
    pub first: Uuid,
    /// The last id that begins so.
    pub last: Uuid,
    digits: usize,
}

impl std::fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.first.simple().to_string();
        f.write_str(first.get(..self.digits).unwrap_or(&first))
    }
}

impl IdPrefix {
    /// How many digits it takes at least. Ids begin with the time: six digits are those of a few hours.
    pub const DIGITS_MIN: usize = 6;
}

/// A text that is neither an id nor the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no execution id: it is a UUID, or at least {} of its first digits",
    IdPrefix::DIGITS_MIN
)]
pub struct InvalidId {
    text: String,
}

impl FromStr for IdOrPrefix {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let invalid = || InvalidId { text: text.to_owned() };
        let mut digits = 0_usize;
        let mut begin = 0_u128;
        for letter in text.chars().filter(|letter| *letter != '-') {
            begin = begin << 4 | u128::from(letter.to_digit(16).ok_or_else(invalid)?);
            digits += 1;
            if digits >= 32 {
                return Err(invalid());
            }
        }
        if digits < IdPrefix::DIGITS_MIN {
            return Err(invalid());
        }
        let rest = 128 - 4 * digits;
        let first = begin << rest;
        let last = first | (u128::MAX >> (128 - rest));
        Ok(Self::Prefix(IdPrefix { first: Uuid::from_u128(first), last: Uuid::from_u128(last), digits }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_all_ids_that_begin_with_it() {
        let range = |text: &str| match text.parse::<IdOrPrefix>().unwrap() {
            IdOrPrefix::Prefix(prefix) => (prefix.first.to_string(), prefix.last.to_string()),
            IdOrPrefix::Id(id) => panic!("{id}"),
        };
        let wanted = (
            "0198aabb-c000-0000-0000-000000000000".to_owned(),
            "0198aabb-cfff-ffff-ffff-ffffffffffff".to_owned(),
        );
        assert_eq!(range("0198aabb-c"), wanted);
        assert_eq!(range("0198AABBc"), wanted);
        let IdOrPrefix::Prefix(shown) = "0198AA-Bb".parse().unwrap() else { panic!("no prefix") };
        assert_eq!(shown.to_string(), "0198aabb");
        assert_eq!(range("0198aabb-").0, "0198aabb-0000-0000-0000-000000000000");
        assert_eq!(range("0198aa00-0000-7000-8000-00000000000").1, "0198aa00-0000-7000-8000-00000000000f");
    }

    #[test]
    fn an_id_is_itself_and_anything_else_is_refused() {
        let whole = "0198aa00-0000-7000-8000-000000000001";
        assert_eq!(whole.parse(), Ok(IdOrPrefix::Id(whole.parse().unwrap())));
        for text in
            ["", "0198a", "0198-a", "17", "greeting", "0198aa00-0000-7000-8000-0000000000010", "0198aä"]
        {
            let refused = text.parse::<IdOrPrefix>().unwrap_err().to_string();
            assert!(refused.contains("at least 6"), "{refused}");
        }
    }
}
