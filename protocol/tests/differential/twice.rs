//! Whether an object of a JSON text says one name twice.

use std::collections::HashSet;
use std::fmt;

use muster_protocol::value::replace_unstorable;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// True if one does, anywhere in the text.
pub(crate) fn says_a_name_twice(text: &str) -> bool {
    serde_json::from_str::<Found>(&replace_unstorable(text)).is_ok_and(|found| found.0)
}

struct Found(bool);

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Seeker).map(Self)
    }
}

struct Seeker;

impl<'de> Visitor<'de> for Seeker {
    type Value = bool;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("any JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(Found(inner)) = items.next_element()? {
            found |= inner;
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<bool, A::Error> {
        let (mut names, mut found) = (HashSet::new(), false);
        while let Some((name, Found(inner))) = entries.next_entry::<String, Found>()? {
            found |= inner | !names.insert(name);
        }
        Ok(found)
    }
}
