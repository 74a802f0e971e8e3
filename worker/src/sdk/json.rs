//! What a workflow gives, as JSON text. NaN and the infinities are found, which serde_json writes as null without a word.
//!
//! Most values hold none, so they are looked for only where a null was written: then the value is walked once more.

use std::cell::Cell;
use std::io;

use muster_protocol::value::{InvalidValue, ValueProblem};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::number_search::{NumberSearch, Stopped};

/// Why a value has no JSON text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    #[error(transparent)]
    NoJson(#[from] serde_json::Error),
    #[error("{0}")]
    NoNumber(InvalidValue),
}

/// The JSON text of a value. `root` is what it is called; with an empty one the place of a number begins with its key.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, root: &str) -> Result<Vec<u8>, NotWritten> {
    let mut text = Vec::with_capacity(128);
    let wrote_null = Cell::new(false);
    let formatter = NoteNulls { wrote_null: &wrote_null };
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
    if wrote_null.get()
        && let Err(Stopped::AtNumber { steps, number }) = value.serialize(NumberSearch)
    {
        let path = steps.iter().rev().fold(root.to_owned(), |path, step| path + step);
        let path = path.strip_prefix('.').map(str::to_owned).unwrap_or(path);
        return Err(NotWritten::NoNumber(InvalidValue { path, problem: ValueProblem::NoNumber { number } }));
    }
    Ok(text)
}

/// Writes as serde_json does, and notes whether there was a null.
struct NoteNulls<'a> {
    wrote_null: &'a Cell<bool>,
}

impl Formatter for NoteNulls<'_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.wrote_null.set(true);
        writer.write_all(b"null")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    enum Measured {
        Nothing,
        One(f64),
        Two(f64, f64),
        Named { value: f32 },
    }

    fn told(value: &impl Serialize) -> String {
        write(value, "result")
            .map_or_else(|problem| problem.to_string(), |text| String::from_utf8(text).expect("it is text"))
    }

    #[test]
    fn a_number_that_json_does_not_have_is_told_with_its_place() {
        let words = |place: &str, number: &str| {
            format!("{place} is {number}; JSON has no such number, write null or a string instead")
        };
        assert_eq!(told(&f64::NAN), words("result", "NaN"));
        assert_eq!(told(&Some([1.0, f64::INFINITY])), words("result[1]", "Infinity"));
        let map = |value: f64| BTreeMap::from([("a", BTreeMap::from([("b c", vec![(1, value)])]))]);
        assert_eq!(told(&map(-f64::INFINITY)), words(r#"result.a["b c"][0][1]"#, "-Infinity"));
        assert_eq!(told(&BTreeMap::from([(7, f64::NAN)])), words(r#"result["7"]"#, "NaN"));
        assert_eq!(told(&Measured::One(f64::NAN)), words("result.One", "NaN"));
        assert_eq!(told(&Measured::Two(1.0, f64::NAN)), words("result.Two[1]", "NaN"));
        assert_eq!(told(&Measured::Named { value: f32::NAN }), words("result.Named.value", "NaN"));
        let problem = write(&map(f64::NAN), "").map(|_| ()).map_err(|problem| problem.to_string());
        assert_eq!(problem, Err(words(r#"a["b c"][0][1]"#, "NaN")));
    }

    #[test]
    fn a_null_that_was_meant_stays() {
        assert_eq!(told(&(None::<f64>, (), 1.5, i128::MAX)), format!("[null,null,1.5,{}]", i128::MAX));
        assert_eq!(told(&[Measured::Nothing, Measured::One(1.0)]), r#"["Nothing",{"One":1.0}]"#);
        assert_eq!(told(&json!({ "a": null, "b": [1, "x"] })), r#"{"a":null,"b":[1,"x"]}"#);
        let raw = serde_json::value::RawValue::from_string(r#"{"a":1.10, "b":null}"#.to_owned());
        assert_eq!(told(&raw.expect("it is JSON")), r#"{"a":1.10, "b":null}"#);
    }
}
