//! The effective settings as a person or a program may read them.

use super::source::Origin;
use super::table::Settings;

/// One setting: its value with secrets masked, and where it came from.
#[derive(Clone, Debug)]
pub struct ShownSetting {
    /// The name of the setting.
    pub key: &'static str,
    /// Its value, as it would stand in `muster.toml`; `None` when there is none.
    pub value: toml::Value,
    /// Where the value came from.
    pub origin: Origin,
}

impl Settings {
    /// Tells where the value of this setting came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key)
    }

    /// Lines of TOML with the origin as a comment. All that is not masked can go into a `muster.toml`.
    pub fn to_toml(&self) -> String {
        let lines: Vec<(String, String)> = self
            .shown()
            .into_iter()
            .map(|shown| (format!("{} = {}", shown.key, shown.value), shown.origin.to_string()))
            .collect();
        let width = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= 60).max();
        let width = width.unwrap_or(0);
        lines.iter().map(|(line, origin)| format!("{line:width$}  # {origin}\n")).collect()
    }

    /// `{"min_workers": {"value": 2, "origin": "default"}, ...}` in the order of the table.
    pub fn to_json(&self) -> serde_json::Value {
        let entries = self.shown().into_iter().map(|shown| {
            let value = serde_json::to_value(&shown.value).unwrap_or(serde_json::Value::Null);
            (shown.key.to_owned(), serde_json::json!({"value": value, "origin": shown.origin.to_string()}))
        });
        serde_json::Value::Object(entries.collect())
    }
}
