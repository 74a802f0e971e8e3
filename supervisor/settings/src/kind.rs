//! How each type of value is read, bounded and shown.

mod address;
mod choice;
mod headers;
mod number;
mod secret_key;
mod server_url;
mod text;
mod walls;

use std::path::Path;

pub(crate) use address::{BindKind, DatabaseUrl, ServerUrl, TokenKind};
pub use address::{HttpToken, is_token};
pub(crate) use choice::{
    AllowKind, ConfinementKind, FormatKind, IsolationKind, TemplateKind, TranscriptsKind,
};
pub use choice::{LogFormat, TemplatePolicy, TranscriptPolicy};
pub(crate) use headers::HeadersKind;
pub use headers::header_fields;
pub(crate) use number::{CountKind, DaysKind, IntervalKind, LimitKind, MillisKind, RatioKind, SecondsKind};
pub(crate) use secret_key::SecretKeyKind;
pub use text::WorkerVariable;
pub(crate) use text::{CommandKind, FileKind, LevelKind, NameKind, NamesKind, PathKind, VariablesKind};
pub use walls::WorkerUserSetting;
pub(crate) use walls::{LimitsKind, PathsKind, PortsKind, WorkerUserKind};

use super::source::Raw;

/// How one type of value is read and shown.
pub(crate) trait SettingKind {
    /// What the field holds.
    type Value;
    /// What stands for the value in help texts.
    const PLACEHOLDER: &'static str;
    /// Several values may be given.
    const IS_LIST: bool = false;

    /// Reads the value; the error completes the sentence "min_workers (from muster.toml) ...".
    fn parse(&self, raw: &Raw) -> Result<Self::Value, String>;

    /// Reads the value as it stands in this file, which only counts for what is relative to it.
    fn parse_beside(&self, raw: &Raw, _file: &Path) -> Result<Self::Value, String> {
        self.parse(raw)
    }

    /// The value as it would stand in `muster.toml`, secrets masked.
    fn show(&self, value: &Self::Value) -> toml::Value;
}

/// The words of a value that may be several.
fn words(raw: &Raw) -> Result<Vec<String>, String> {
    match raw {
        Raw::Text(text) => shell_words::split(text).map_err(|error| format!("cannot be split: {error}")),
        Raw::List(words) => Ok(words.clone()),
    }
}

/// The text of a value that must be a single one.
fn single(raw: &Raw) -> Result<&str, String> {
    match raw {
        Raw::Text(text) => Ok(text.trim()),
        Raw::List(_) => Err("must be one value, not an array".to_owned()),
    }
}
