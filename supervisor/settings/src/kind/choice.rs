//! Settings that are one of a few words.

use std::marker::PhantomData;

pub use muster_core::execution::TranscriptPolicy;
use muster_core::pool::Isolation;
use muster_system::confinement::ConfinementLevel;

use super::{SettingKind, single};
use crate::source::Raw;

/// A type whose values each have a word.
pub(crate) trait Choice: Copy + PartialEq + 'static {
    /// What stands for the word in help texts.
    const PLACEHOLDER: &'static str;
    /// The words, in the order in which a person is told of them.
    const WORDS: &'static [(&'static str, Self)];
}

/// A value that is written as one of a few words, in whatever case.
pub(crate) struct ChoiceKind<T>(PhantomData<T>);

impl<T: Choice> ChoiceKind<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Choice> SettingKind for ChoiceKind<T> {
    type Value = T;
    const PLACEHOLDER: &'static str = T::PLACEHOLDER;

    fn parse(&self, raw: &Raw) -> Result<T, String> {
        let text = single(raw)?;
        let found = T::WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = T::WORDS.iter().map(|(name, _)| *name).collect();
            let (last, others) = names.split_last().unwrap_or((&"", &[]));
            format!("must be {} or {last}, not {text:?}", others.join(", "))
        })
    }

    fn show(&self, value: &T) -> toml::Value {
        let found = T::WORDS.iter().find(|(_, choice)| choice == value);
        toml::Value::String(found.map_or("", |(name, _)| *name).to_owned())
    }
}

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
pub(crate) type FormatKind = ChoiceKind<LogFormat>;

impl Choice for LogFormat {
    const PLACEHOLDER: &'static str = "FORMAT";
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
}

/// The choice of which executions leave a transcript.
pub(crate) type TranscriptsKind = ChoiceKind<TranscriptPolicy>;

impl Choice for TranscriptPolicy {
    const PLACEHOLDER: &'static str = "WHICH";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("failed", TranscriptPolicy::Failed),
        ("all", TranscriptPolicy::All),
        ("none", TranscriptPolicy::None),
    ];
}

/// The choice of an [`Isolation`].
pub(crate) type IsolationKind = ChoiceKind<Isolation>;

impl Choice for Isolation {
    const PLACEHOLDER: &'static str = "WHAT";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Isolation::None),
        ("organization", Isolation::Organization),
        ("execution", Isolation::Execution),
    ];
}

/// The choice of a [`ConfinementLevel`].
pub(crate) type ConfinementKind = ChoiceKind<ConfinementLevel>;

impl Choice for ConfinementLevel {
    const PLACEHOLDER: &'static str = "LEVEL";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", ConfinementLevel::Off),
        ("scoped", ConfinementLevel::Scoped),
        ("strict", ConfinementLevel::Strict),
    ];
}

/// The choice of whether something is allowed.
pub(crate) type AllowKind = ChoiceKind<bool>;

impl Choice for bool {
    const PLACEHOLDER: &'static str = "BOOL";
    const WORDS: &'static [(&'static str, Self)] = &[("false", false), ("true", true)];
}

/// Whether workers are made of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatePolicy {
    /// Workers are made of a template where the command allows it.
    Auto,
    /// Each worker loads by itself.
    Off,
}

/// The choice of a [`TemplatePolicy`].
pub(crate) type TemplateKind = ChoiceKind<TemplatePolicy>;

impl Choice for TemplatePolicy {
    const PLACEHOLDER: &'static str = "WHETHER";
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", TemplatePolicy::Auto), ("off", TemplatePolicy::Off)];
}
