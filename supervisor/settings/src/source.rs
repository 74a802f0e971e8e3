//! Where values come from: the file, the environment, the flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::problem::SettingProblem;
use super::table::{KEYS, SettingKey};

/// A value as it was written, before it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// A single word, number or string.
    Text(String),
    /// A TOML array, or a flag given several times.
    List(Vec<String>),
}

/// Where the value of a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it, and the default holds.
    Default,
    /// Nobody set it, and another setting asked for this instead of the default.
    Adjusted(&'static str),
    /// The settings file at this path.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// The flag of this name, dashes included.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Adjusted(why) => write!(f, "default, {why}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The origin of each key that is not at its default.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(BTreeMap<&'static str, Origin>);

impl Origins {
    pub(super) fn get(&self, key: &str) -> Origin {
        self.0.get(key).cloned().unwrap_or(Origin::Default)
    }

    pub(super) fn set(&mut self, key: &'static str, origin: Origin) {
        self.0.insert(key, origin);
    }
}

/// The variable that is a setting of a supervisor, and what its clients show.
pub const CLIENT_TOKEN: &str = "MUSTER_HTTP_TOKEN";

/// Everything settings are read from. A test fills it by hand; a process uses [`Sources::of_process`].
/// It can be read again, so SIGHUP sees a changed file.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by `--config`: it must exist.
    pub config: Option<PathBuf>,
    /// Files tried in this order when `config` is not given.
    pub candidates: Vec<PathBuf>,
    /// Environment variables; only those that begin with `MUSTER_` are looked at.
    pub environment: BTreeMap<String, String>,
    /// Flags by the key they set.
    pub flags: BTreeMap<&'static str, Raw>,
}

impl Sources {
    /// The sources of this process, with the flags of its command line.
    pub fn of_process(config: Option<PathBuf>, flags: BTreeMap<&'static str, Raw>) -> Self {
        let environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with("MUSTER_"))
            .collect();
        let candidates = vec![PathBuf::from("./muster.toml"), PathBuf::from("/etc/muster/muster.toml")];
        Self { config, candidates, environment, flags }
    }

    /// The same for a program that lets nobody in: there the token of the environment is what a client shows, perhaps of
    /// somebody who may less, and no setting.
    #[must_use]
    pub fn letting_nobody_in(mut self) -> Self {
        self.environment.remove(CLIENT_TOKEN);
        self
    }

    /// Reads the file: its path and its keys, or nothing when there is none.
    pub(super) fn file(&self) -> Result<Option<(PathBuf, toml::Table)>, SettingProblem> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => match self.candidates.iter().find(|path| path.exists()) {
                Some(path) => path.clone(),
                None => return Ok(None),
            },
        };
        let problem = |reason: String| SettingProblem::File { path: path.clone(), reason };
        let text =
            std::fs::read_to_string(&path).map_err(|error| problem(format!("cannot be read: {error}")))?;
        let table = text.parse::<toml::Table>().map_err(|error| problem(describe(&error, &text)))?;
        Ok(Some((path, table)))
    }
}

/// One line for a TOML error, with the line it is on.
fn describe(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    format!("is not valid TOML, line {line}: {}", error.message().replace('\n', " "))
}

/// The raw value of a TOML value, or why it is none.
pub(super) fn raw_of_toml(value: &toml::Value) -> Result<Raw, &'static str> {
    if let toml::Value::Array(items) = value {
        let words: Option<Vec<String>> = items.iter().map(word_of_toml).collect();
        return words.map(Raw::List).ok_or("must be an array of strings");
    }
    word_of_toml(value).map(Raw::Text).ok_or("must be a number, a string or an array of strings")
}

fn word_of_toml(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// The key of this name.
pub(super) fn key(name: &str) -> Option<&'static SettingKey> {
    KEYS.iter().find(|key| key.name == name)
}

/// The folder relative paths are taken from.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("cannot be made an absolute path: {error}"))
}
