//! Settings that are one of a few words.

use muster_core::pool::Isolation;
use muster_system::confinement::ConfinementLevel;

use super::{SettingKind, single};
use crate::settings::source::Raw;

/// How the supervisor's own log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// Lines that people read.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// The choice of a [`LogFormat`].
pub(crate) struct FormatKind;

impl SettingKind for FormatKind {
    type Value = LogFormat;
    const PLACEHOLDER: &'static str = "FORMAT";

    fn parse(&self, raw: &Raw) -> Result<LogFormat, String> {
        chosen(raw, &FORMATS)
    }

    fn show(&self, value: &LogFormat) -> toml::Value {
        word(*value, &FORMATS)
    }
}

const FORMATS: [(&str, LogFormat); 3] =
    [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];

/// Which executions leave a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptPolicy {
    /// No execution leaves one.
    None,
    /// Executions that do not succeed leave one.
    Failed,
    /// Every execution leaves one.
    All,
}

/// The choice of which executions leave a transcript.
pub(crate) struct TranscriptsKind;

impl SettingKind for TranscriptsKind {
    type Value = TranscriptPolicy;
    const PLACEHOLDER: &'static str = "WHICH";

    fn parse(&self, raw: &Raw) -> Result<TranscriptPolicy, String> {
        chosen(raw, &TRANSCRIPTS)
    }

    fn show(&self, value: &TranscriptPolicy) -> toml::Value {
        word(*value, &TRANSCRIPTS)
    }
}

const TRANSCRIPTS: [(&str, TranscriptPolicy); 3] =
    [("failed", TranscriptPolicy::Failed), ("all", TranscriptPolicy::All), ("none", TranscriptPolicy::None)];

/// The choice of an [`Isolation`].
pub(crate) struct IsolationKind;

impl SettingKind for IsolationKind {
    type Value = Isolation;
    const PLACEHOLDER: &'static str = "WHAT";

    fn parse(&self, raw: &Raw) -> Result<Isolation, String> {
        chosen(raw, &ISOLATIONS)
    }

    fn show(&self, value: &Isolation) -> toml::Value {
        word(*value, &ISOLATIONS)
    }
}

const ISOLATIONS: [(&str, Isolation); 3] = [
    ("none", Isolation::None),
    ("organization", Isolation::Organization),
    ("execution", Isolation::Execution),
];

/// The choice of a [`ConfinementLevel`].
pub(crate) struct ConfinementKind;

impl SettingKind for ConfinementKind {
    type Value = ConfinementLevel;
    const PLACEHOLDER: &'static str = "LEVEL";

    fn parse(&self, raw: &Raw) -> Result<ConfinementLevel, String> {
        chosen(raw, &CONFINEMENTS)
    }

    fn show(&self, value: &ConfinementLevel) -> toml::Value {
        word(*value, &CONFINEMENTS)
    }
}

const CONFINEMENTS: [(&str, ConfinementLevel); 3] = [
    ("off", ConfinementLevel::Off),
    ("scoped", ConfinementLevel::Scoped),
    ("strict", ConfinementLevel::Strict),
];

/// Whether workers are made of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatePolicy {
    /// Workers are made of a template where the command allows it.
    Auto,
    /// Each worker loads by itself.
    Off,
}

/// The choice of a [`TemplatePolicy`].
pub(crate) struct TemplateKind;

impl SettingKind for TemplateKind {
    type Value = TemplatePolicy;
    const PLACEHOLDER: &'static str = "WHETHER";

    fn parse(&self, raw: &Raw) -> Result<TemplatePolicy, String> {
        chosen(raw, &TEMPLATES)
    }

    fn show(&self, value: &TemplatePolicy) -> toml::Value {
        word(*value, &TEMPLATES)
    }
}

const TEMPLATES: [(&str, TemplatePolicy); 2] = [("auto", TemplatePolicy::Auto), ("off", TemplatePolicy::Off)];

/// The value of the word, in whatever case it is written.
fn chosen<T: Copy>(raw: &Raw, choices: &[(&str, T)]) -> Result<T, String> {
    let text = single(raw)?;
    let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        format!("must be {} or {last}, not {text:?}", others.join(", "))
    })
}

/// The word for the value.
fn word<T: Copy + PartialEq>(value: T, choices: &[(&str, T)]) -> toml::Value {
    let found = choices.iter().find(|(_, choice)| *choice == value);
    toml::Value::String(found.map_or("", |(name, _)| *name).to_owned())
}
