//! Addresses, URLs and the token: what names a place or opens it.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};

use super::server_url::check_url;
use super::{SettingKind, single};
use crate::mask::{MASK, mask_url};
use crate::source::Raw;

/// The URL of a server that may be left out.
pub(crate) struct ServerUrl(pub(crate) &'static [&'static str]);

impl SettingKind for ServerUrl {
    type Value = Option<SecretString>;
    const PLACEHOLDER: &'static str = "URL";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        let text = single(raw)?;
        if text.is_empty() {
            return Ok(None);
        }
        check_url(text, self.0)?;
        Ok(Some(SecretString::from(text)))
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        let shown = value.as_ref().map(|url| mask_url(url.expose_secret()));
        toml::Value::String(shown.unwrap_or_default())
    }
}

/// The URL of the database; empty until it is computed from data_dir.
pub(crate) struct DatabaseUrl;

impl SettingKind for DatabaseUrl {
    type Value = SecretString;
    const PLACEHOLDER: &'static str = "URL";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        let text = single(raw)?;
        if !text.is_empty() && !text.starts_with("sqlite:") {
            check_url(text, &["postgres", "postgresql", "sqlite"])?;
        }
        Ok(SecretString::from(text))
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        toml::Value::String(mask_url(value.expose_secret()))
    }
}

/// Where to listen; empty means nowhere.
pub(crate) struct BindKind;

impl SettingKind for BindKind {
    type Value = Option<SocketAddr>;
    const PLACEHOLDER: &'static str = "ADDRESS:PORT";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        let text = single(raw)?;
        if text.is_empty() {
            return Ok(None);
        }
        let numeric = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        numeric.parse().map(Some).map_err(|_| {
            format!("must be an IP address and a port like 127.0.0.1:7420 or [::1]:7420, not {text:?}; empty turns it off")
        })
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        toml::Value::String(value.map(|address| address.to_string()).unwrap_or_default())
    }
}

/// What clients of the API must show.
#[derive(Clone, Debug)]
pub enum HttpToken {
    /// The one in data_dir, made at the first start.
    Made,
    /// Nothing: every local program is let in.
    Open,
    /// The token that the setting names.
    Given(SecretString),
}

impl HttpToken {
    /// The text of the setting.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Made => "",
            Self::Open => OPEN,
            Self::Given(token) => token.expose_secret(),
        }
    }
}

/// What is set by those who insist on an API without a token.
const OPEN: &str = "none";

/// Whether a text can be a token: it travels in an HTTP header.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A secret that travels in an HTTP header.
pub(crate) struct TokenKind;

impl SettingKind for TokenKind {
    type Value = HttpToken;
    const PLACEHOLDER: &'static str = "TOKEN";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        match single(raw)? {
            "" => Ok(HttpToken::Made),
            OPEN => Ok(HttpToken::Open),
            text if is_token(text) => Ok(HttpToken::Given(SecretString::from(text))),
            _ => Err("must be visible ASCII characters without spaces, or \"none\"".to_owned()),
        }
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        let shown = match value {
            HttpToken::Made => "",
            HttpToken::Open => OPEN,
            HttpToken::Given(_) => MASK,
        };
        toml::Value::String(shown.to_owned())
    }
}
