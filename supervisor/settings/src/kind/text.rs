//! Names, paths and commands.

use std::path::{Path, PathBuf};

use muster_core::execution::check;
use secrecy::SecretString;

use super::{SettingKind, single, words};
use crate::mask::MASK;
use crate::program::{default_worker, find_program};
use crate::source::{Raw, absolute};

/// A short name without spaces.
pub(crate) struct NameKind {
    /// The longest one.
    pub(crate) max_bytes: usize,
}

impl SettingKind for NameKind {
    type Value = String;
    const PLACEHOLDER: &'static str = "NAME";

    fn parse(&self, raw: &Raw) -> Result<String, String> {
        let text = single(raw)?;
        if !check::is_word(text, self.max_bytes) {
            return Err(format!("must be 1 to {} characters without spaces, not {text:?}", self.max_bytes));
        }
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> toml::Value {
        toml::Value::String(value.clone())
    }
}

/// A list of names.
pub(crate) struct NamesKind(pub(crate) NameKind);

impl SettingKind for NamesKind {
    type Value = Vec<String>;
    const PLACEHOLDER: &'static str = "NAME";
    const IS_LIST: bool = true;

    fn parse(&self, raw: &Raw) -> Result<Vec<String>, String> {
        let mut names: Vec<String> = Vec::new();
        for word in words(raw)? {
            let name = self.0.parse(&Raw::Text(word))?;
            // One that nobody meant would be served, and those that were meant would not.
            if name.contains([',', '[', ']']) {
                return Err(format!(
                    "must be names without commas and brackets, with blanks between them (or an array in the file, or the flag several times), not {name:?}"
                ));
            }
            if names.contains(&name) {
                return Err(format!("must name each once, and names {name:?} twice"));
            }
            names.push(name);
        }
        Ok(names)
    }

    fn show(&self, value: &Vec<String>) -> toml::Value {
        toml::Value::Array(value.iter().cloned().map(toml::Value::String).collect())
    }
}

/// A folder. A relative one is taken from the folder of the settings file that names it, else from the working directory.
pub(crate) struct PathKind;

impl SettingKind for PathKind {
    type Value = PathBuf;
    const PLACEHOLDER: &'static str = "FOLDER";

    fn parse(&self, raw: &Raw) -> Result<PathBuf, String> {
        let text = single(raw)?;
        if text.is_empty() {
            return Err("must name a folder, it is empty".to_owned());
        }
        absolute(Path::new(text))
    }

    fn parse_beside(&self, raw: &Raw, file: &Path) -> Result<PathBuf, String> {
        match single(raw)? {
            "" => self.parse(raw),
            text => absolute(&absolute(file)?.with_file_name(text)),
        }
    }

    fn show(&self, value: &PathBuf) -> toml::Value {
        toml::Value::String(value.display().to_string())
    }
}

/// A file that may be left out. A relative path is taken from the working directory.
pub(crate) struct FileKind;

impl SettingKind for FileKind {
    type Value = Option<PathBuf>;
    const PLACEHOLDER: &'static str = "FILE";

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        match single(raw)? {
            "" => Ok(None),
            text => absolute(Path::new(text)).map(Some),
        }
    }

    fn parse_beside(&self, raw: &Raw, file: &Path) -> Result<Self::Value, String> {
        match single(raw)? {
            "" => Ok(None),
            _ => PathKind.parse_beside(raw, file).map(Some),
        }
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        toml::Value::String(value.as_ref().map(|path| path.display().to_string()).unwrap_or_default())
    }
}

/// A program and its arguments. The program is resolved; one that is nowhere stays as it was written.
pub(crate) struct CommandKind;

impl SettingKind for CommandKind {
    type Value = Vec<String>;
    const PLACEHOLDER: &'static str = "COMMAND";

    fn parse(&self, raw: &Raw) -> Result<Vec<String>, String> {
        let mut argv = match raw {
            Raw::Text(text) => {
                shell_words::split(text).map_err(|error| format!("cannot be split: {error}"))?
            }
            Raw::List(words) => words.clone(),
        };
        let Some(program) = argv.first_mut() else {
            return Ok(vec![default_worker().display().to_string()]);
        };
        if program.is_empty() {
            return Err("names an empty program".to_owned());
        }
        if let Some(path) = find_program(program) {
            *program = path.display().to_string();
        }
        Ok(argv)
    }

    fn show(&self, value: &Vec<String>) -> toml::Value {
        toml::Value::Array(value.iter().cloned().map(toml::Value::String).collect())
    }
}

/// A variable of the environment that workers get.
#[derive(Clone, Debug)]
pub enum WorkerVariable {
    /// All of the supervisor's own are let through, but those that are Muster's.
    PassAll,
    /// Let through with the supervisor's own value, if it has one.
    Pass {
        /// The name of the variable.
        name: String,
    },
    /// Set to this. The value may be a secret.
    Set {
        /// The name of the variable.
        name: String,
        /// The value of the variable.
        value: SecretString,
    },
}

/// A list of environment variables.
pub(crate) struct VariablesKind;

impl SettingKind for VariablesKind {
    type Value = Vec<WorkerVariable>;
    const PLACEHOLDER: &'static str = "NAME[=VALUE]";
    const IS_LIST: bool = true;

    fn parse(&self, raw: &Raw) -> Result<Self::Value, String> {
        let words = match raw {
            Raw::Text(text) => {
                shell_words::split(text).map_err(|error| format!("cannot be split: {error}"))?
            }
            Raw::List(words) => words.clone(),
        };
        words.into_iter().map(|word| variable(&word)).collect()
    }

    fn show(&self, value: &Self::Value) -> toml::Value {
        let words = value.iter().map(|variable| match variable {
            WorkerVariable::PassAll => "*".to_owned(),
            WorkerVariable::Pass { name } => name.clone(),
            WorkerVariable::Set { name, .. } => format!("{name}={MASK}"),
        });
        toml::Value::Array(words.map(toml::Value::String).collect())
    }
}

fn variable(word: &str) -> Result<WorkerVariable, String> {
    if word == "*" {
        return Ok(WorkerVariable::PassAll);
    }
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(format!("holds {name:?}, which is no name of a variable: write NAME, NAME=VALUE or *"));
    }
    if name == "MUSTER_PROTOCOL" {
        return Err("holds MUSTER_PROTOCOL, which the supervisor sets itself".to_owned());
    }
    let name = name.to_owned();
    Ok(match value {
        Some(value) => WorkerVariable::Set { name, value: SecretString::from(value) },
        None => WorkerVariable::Pass { name },
    })
}

/// What is logged.
pub(crate) struct LevelKind;

impl SettingKind for LevelKind {
    type Value = String;
    const PLACEHOLDER: &'static str = "LEVEL";

    fn parse(&self, raw: &Raw) -> Result<String, String> {
        let text = single(raw)?.to_ascii_lowercase();
        for part in text.split(',') {
            // A bare word that is no level would be taken for a module by the filter and log everything.
            let level = part.rsplit_once('=').map_or(part, |(_, level)| level).trim();
            if !["off", "error", "warn", "info", "debug", "trace"].contains(&level) {
                return Err(format!("must be off, error, warn, info, debug or trace, not {level:?}"));
            }
        }
        Ok(text)
    }

    fn show(&self, value: &String) -> toml::Value {
        toml::Value::String(value.clone())
    }
}
