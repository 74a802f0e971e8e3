//! What a person can set, where each value came from, and whether the whole makes sense.
//!
//! Every setting is one row of the table in [`Settings`]: its name, type, bounds, default and help text.
//! The keys of `muster.toml`, the `MUSTER_*` variables, the command-line flags, their help and
//! `supervisor config` are all read from that table. Nothing here opens a connection or starts a process.
//!
//! Beside it is what settings hold or name and what commands make: the tokens of the API, and the keys for secrets and
//! for signatures.

pub mod access;
mod fixed;
mod kind;
mod load;
mod mask;
mod problem;
mod program;
mod secret_files;
pub mod secret_keys;
mod show;
mod source;
mod table;
pub mod webhook_key;

#[cfg(test)]
mod tests;

pub use kind::{
    HttpToken, LogFormat, TemplatePolicy, TranscriptPolicy, WorkerUserSetting, WorkerVariable, header_fields,
    is_token,
};
pub use load::{DATABASE_FILE, NOT_SETTINGS};
pub use mask::mask_url;
pub use problem::{REMOVED, SettingProblem, SettingsError};
pub use program::find_program;
pub use show::ShownSetting;
pub use source::{CLIENT_TOKEN, Origin, Raw, Sources};
pub use table::{KEYS, SettingKey, Settings};
