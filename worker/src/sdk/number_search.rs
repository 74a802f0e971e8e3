//! Finds a number that JSON does not have, by a serializer that writes nothing.

use muster_protocol::value::is_plain_key;
use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Why the search ended before the end of the value.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// With the steps to the number, the last one first.
    #[error("{number}")]
    AtNumber { steps: Vec<String>, number: &'static str },
    #[error("the value does not let itself be written")]
    ByValue,
}

impl serde::ser::Error for Stopped {
    fn custom<T: std::fmt::Display>(_message: T) -> Self {
        Self::ByValue
    }
}

impl Stopped {
    fn below(mut self, step: impl FnOnce() -> String) -> Self {
        if let Self::AtNumber { steps, .. } = &mut self {
            steps.push(step());
        }
        self
    }
}

/// The step to what stands below a key, as every Muster SDK writes it.
fn step_to(key: &str) -> String {
    if is_plain_key(key) { format!(".{key}") } else { format!("[{}]", serde_json::Value::from(key)) }
}

/// Fails at the first number that JSON does not have.
pub(super) struct NumberSearch;

type Searched = Result<(), Stopped>;

/// Makes the methods for values that hold no such number.
macro_rules! pass {
    ($($method:ident($type:ty)),* $(,)?) => { $(fn $method(self, _value: $type) -> Searched { Ok(()) })* };
}

impl Serializer for NumberSearch {
    type Ok = ();
    type Error = Stopped;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    pass! {
        serialize_bool(bool), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_unit_struct(&'static str),
    }

    fn serialize_f32(self, value: f32) -> Searched {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Searched {
        let number = match value {
            _ if value.is_finite() => return Ok(()),
            _ if value.is_nan() => "NaN",
            _ if value > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        Err(Stopped::AtNumber { steps: Vec::new(), number })
    }

    fn serialize_none(self) -> Searched {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Searched {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Searched {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Searched {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Searched {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Searched {
        value.serialize(self).map_err(|stopped| stopped.below(|| step_to(variant)))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Stopped> {
        Ok(Parts::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Stopped> {
        Ok(Parts::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Stopped> {
        Ok(Parts::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Stopped> {
        Ok(Parts { variant: Some(variant), ..Parts::default() })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Stopped> {
        Ok(Parts::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Stopped> {
        Ok(Parts::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Stopped> {
        Ok(Parts { variant: Some(variant), ..Parts::default() })
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, _: &T) -> Searched {
        Ok(())
    }
}

/// What is below a value.
#[derive(Default)]
pub(super) struct Parts {
    /// The variant of an enum that holds them, which stands around them as a key.
    variant: Option<&'static str>,
    /// How many items there were.
    items: usize,
    /// The key whose value is next.
    key: String,
}

impl Parts {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Searched {
        let at = self.items;
        self.items += 1;
        value.serialize(NumberSearch).map_err(|stopped| self.place(stopped.below(|| format!("[{at}]"))))
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Searched {
        value.serialize(NumberSearch).map_err(|stopped| self.place(stopped.below(|| step_to(key))))
    }

    fn place(&self, stopped: Stopped) -> Stopped {
        match self.variant {
            Some(variant) => stopped.below(|| step_to(variant)),
            None => stopped,
        }
    }
}

/// Makes a kind of list.
macro_rules! items {
    ($($kind:ident::$method:ident),*) => { $(impl $kind for Parts {
        type Ok = ();
        type Error = Stopped;

        fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Searched {
            self.item(value)
        }

        fn end(self) -> Searched {
            Ok(())
        }
    })* };
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// Makes a kind of struct.
macro_rules! members {
    ($($kind:ident),*) => { $(impl $kind for Parts {
        type Ok = ();
        type Error = Stopped;

        fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Searched {
            self.member(key, value)
        }

        fn end(self) -> Searched {
            Ok(())
        }
    })* };
}

members!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Parts {
    type Ok = ();
    type Error = Stopped;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Searched {
        let key = serde_json::to_string(key).map_err(Stopped::custom)?;
        self.key = serde_json::from_str(&key).unwrap_or(key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Searched {
        let key = std::mem::take(&mut self.key);
        self.member(&key, value)
    }

    fn end(self) -> Searched {
        Ok(())
    }
}
