//! Keys that secrets are encrypted with.

use secrecy::{ExposeSecret as _, SecretString};

use super::{SettingKind, single};
use crate::mask::MASK;
use crate::secret_keys::SecretKeys;
use crate::source::Raw;

/// One or more keys; the first is the one to encrypt with.
pub(crate) struct SecretKeyKind;

impl SettingKind for SecretKeyKind {
    type Value = Option<SecretString>;
    const PLACEHOLDER: &'static str = "KEYS";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        let text = single(raw)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        SecretKeys::parse(text)?;
        Ok(Some(SecretString::from(text)))
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        let shown = value.as_ref().filter(|keys| !keys.expose_secret().is_empty()).map_or("", |_| MASK);
        toml::Value::String(shown.to_owned())
    }
}
