//! Who workers run as, what they may use, open and connect to.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use muster_system::confinement::ResourceLimits;
use muster_system::process::GroupLimits;

use super::{SettingKind, single, words};
use crate::source::{Raw, absolute};

/// Who workers run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerUserSetting {
    /// The supervisor's user.
    Own,
    /// The one of this name or number.
    Named(String),
    /// Each one of its own.
    Range {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
}

/// The choice of a [`WorkerUserSetting`].
pub(crate) struct WorkerUserKind;

impl SettingKind for WorkerUserKind {
    type Value = WorkerUserSetting;
    const PLACEHOLDER: &'static str = "USER";

    fn parse(&self, raw: &Raw) -> Result<WorkerUserSetting, String> {
        let text = single(raw)?;
        if text.is_empty() {
            return Ok(WorkerUserSetting::Own);
        }
        let range = text.split_once('-').map(|(first, last)| (first.trim().parse(), last.trim().parse()));
        let setting = match range {
            Some((Ok(first), Ok(last))) => WorkerUserSetting::Range { first, last },
            Some(_) | None => WorkerUserSetting::Named(text.to_owned()),
        };
        match &setting {
            WorkerUserSetting::Range { first, last } if first > last => {
                Err(format!("must be a range like 900000-900999, and {text} ends before it begins"))
            }
            WorkerUserSetting::Range { first: 0, .. } => {
                Err("must not be a range with user 0 in it, which is root".to_owned())
            }
            WorkerUserSetting::Range { .. } | WorkerUserSetting::Named(_) | WorkerUserSetting::Own => {
                Ok(setting)
            }
        }
    }

    fn show(&self, value: &WorkerUserSetting) -> toml::Value {
        toml::Value::String(match value {
            WorkerUserSetting::Own => String::new(),
            WorkerUserSetting::Named(name) => name.clone(),
            WorkerUserSetting::Range { first, last } => format!("{first}-{last}"),
        })
    }
}

/// A list of files and folders. Relative ones are taken from the folder of the settings file that names them, else from
/// the working directory.
pub(crate) struct PathsKind;

impl SettingKind for PathsKind {
    type Value = Vec<PathBuf>;
    const PLACEHOLDER: &'static str = "PATH";
    const IS_LIST: bool = true;

    fn parse(&self, raw: &Raw) -> Result<Vec<PathBuf>, String> {
        let words = words(raw)?;
        if let Some(word) = words.iter().find(|word| word.is_empty() || word.contains(char::is_control)) {
            return Err(format!("must name files and folders, and holds {word:?}"));
        }
        words.iter().map(|word| absolute(Path::new(word))).collect()
    }

    fn parse_beside(&self, raw: &Raw, file: &Path) -> Result<Vec<PathBuf>, String> {
        self.parse(raw)?;
        words(raw)?.iter().map(|word| absolute(&absolute(file)?.with_file_name(word))).collect()
    }

    fn show(&self, value: &Vec<PathBuf>) -> toml::Value {
        toml::Value::Array(value.iter().map(|path| toml::Value::String(path.display().to_string())).collect())
    }
}

/// A list of TCP ports.
pub(crate) struct PortsKind;

impl SettingKind for PortsKind {
    type Value = Vec<u16>;
    const PLACEHOLDER: &'static str = "PORT";
    const IS_LIST: bool = true;

    fn parse(&self, raw: &Raw) -> Result<Vec<u16>, String> {
        let port = |word: &String| {
            let port = word.parse::<u16>().ok().filter(|port| *port > 0);
            port.ok_or_else(|| format!("must be TCP ports from 1 to 65535, and holds {word:?}"))
        };
        words(raw)?.iter().map(port).collect()
    }

    fn show(&self, value: &Vec<u16>) -> toml::Value {
        toml::Value::Array(value.iter().map(|port| toml::Value::Integer(i64::from(*port))).collect())
    }
}

/// Limits that have names.
pub(crate) trait NamedLimits: Default {
    /// What they are called, with their values.
    fn named(&self) -> [(&'static str, Option<u64>); 4];
    /// Sets the one of this name; false when there is none.
    fn set(&mut self, name: &str, value: u64) -> bool;
}

impl NamedLimits for ResourceLimits {
    fn named(&self) -> [(&'static str, Option<u64>); 4] {
        Self::named(self)
    }

    fn set(&mut self, name: &str, value: u64) -> bool {
        Self::set(self, name, value)
    }
}

impl NamedLimits for GroupLimits {
    fn named(&self) -> [(&'static str, Option<u64>); 4] {
        Self::named(self)
    }

    fn set(&mut self, name: &str, value: u64) -> bool {
        Self::set(self, name, value)
    }
}

/// A list of limits, each as `name=number`.
pub(crate) struct LimitsKind<T>(PhantomData<T>);

impl<T> LimitsKind<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: NamedLimits> SettingKind for LimitsKind<T> {
    type Value = T;
    const PLACEHOLDER: &'static str = "NAME=NUMBER";
    const IS_LIST: bool = true;

    fn parse(&self, raw: &Raw) -> Result<T, String> {
        let mut limits = T::default();
        let names = || limits.named().map(|(name, _)| name).join(", ");
        let names = names();
        for word in words(raw)? {
            let (name, number) = word.split_once('=').ok_or_else(|| {
                format!("must be limits like processes=64, and holds {word:?}; there are {names}")
            })?;
            let value = number.trim().parse::<u64>().ok().filter(|value| *value > 0);
            let value =
                value.ok_or_else(|| format!("{name} must be a whole number above 0, not {number:?}"))?;
            if !limits.set(name.trim(), value) {
                return Err(format!("has no limit {name:?}; there are {names}"));
            }
        }
        Ok(limits)
    }

    fn show(&self, value: &T) -> toml::Value {
        let words = value.named().into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        toml::Value::Array(words.map(toml::Value::String).collect())
    }
}
