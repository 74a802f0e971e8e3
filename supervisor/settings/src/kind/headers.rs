//! Headers of HTTP, which may hold a key.

use secrecy::{ExposeSecret as _, SecretString};
use ureq::http::{HeaderName, HeaderValue};

use super::{SettingKind, single};
use crate::mask::MASK;
use crate::source::Raw;

/// Names and values, as `NAME=VALUE,NAME=VALUE`.
pub(crate) struct HeadersKind;

impl SettingKind for HeadersKind {
    type Value = Option<SecretString>;
    const PLACEHOLDER: &'static str = "NAME=VALUE,...";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        let text = match raw {
            Raw::Text(_) => single(raw)?.to_owned(),
            Raw::List(fields) => fields.join(","),
        };
        if text.is_empty() {
            return Ok(None);
        }
        header_fields(&text)?;
        Ok(Some(SecretString::from(text)))
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        let shown = value.as_ref().filter(|headers| !headers.expose_secret().is_empty()).map_or("", |_| MASK);
        toml::Value::String(shown.to_owned())
    }
}

/// The fields of such a text.
///
/// # Errors
/// What is wrong with one of them, without its value.
pub fn header_fields(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let field = |(place, field): (usize, &str)| {
        let place = place + 1;
        let (name, value) =
            field.split_once('=').ok_or_else(|| format!("has no = in field {place}: write NAME=VALUE"))?;
        let name = HeaderName::try_from(name.trim())
            .map_err(|_| format!("has no name of a header in field {place}"))?;
        let value = HeaderValue::try_from(value.trim())
            .map_err(|_| format!("has signs in the value of {name} that no header can hold"))?;
        Ok((name, value))
    };
    text.split(',').enumerate().map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::header_fields;

    #[test]
    fn fields_are_read_and_what_is_wrong_is_named_without_its_value() {
        let fields = header_fields("x-api-key=abc==, x-team = core").unwrap();
        let shown: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(shown, [("x-api-key", "abc=="), ("x-team", "core")]);
        for (text, problem) in [("hunter2", "no ="), ("a b=hunter2", "name"), ("key=hunter2\n1", "key")] {
            let said = header_fields(text).unwrap_err();
            assert!(said.contains(problem) && !said.contains("hunter2"), "{said}");
        }
    }
}
