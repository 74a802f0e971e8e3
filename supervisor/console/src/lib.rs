//! The commands of `supervisor` that need no supervisor in this process: they ask one that runs, or only read the settings.
//! One file per command.
//!
//! A command reads its flags, calls one module that does the work, and writes what came of it: results on
//! stdout, everything else on stderr. No command decides anything about executions. Those that open a store or a broker,
//! and the command line as a whole, are the supervisor's.

mod addressed;
mod apply;
mod cancel;
mod changes;
mod config;
mod dashboard;
mod definition;
pub mod exit;
mod explain;
mod export;
pub mod finite;
mod fleet;
pub mod follow;
mod human;
mod limit;
mod list;
mod logs;
mod mcp;
mod organization;
pub mod output;
mod pause;
mod prune;
mod recycle;
mod reload;
mod resize;
mod retry;
mod schedule;
mod secret;
mod selection;
pub mod server;
pub mod setting_flags;
mod show;
mod status;
pub mod terminal;
mod token;
mod top;
mod transcript;
mod variable;
mod webhook;
mod workflow;

#[cfg(test)]
mod tests;

pub use apply::ApplyCommand;
pub use cancel::CancelCommand;
pub use changes::ChangesCommand;
pub use config::ConfigCommand;
pub use dashboard::DashboardCommand;
pub use explain::ExplainCommand;
pub use export::ExportCommand;
pub use fleet::{FleetCommand, ReportCommand};
pub use limit::LimitCommand;
pub use list::ListCommand;
pub use logs::LogsCommand;
pub use mcp::McpCommand;
pub use organization::OrganizationCommand;
pub use pause::{PauseCommand, PausesCommand, ResumeCommand};
pub use prune::PruneCommand;
pub use recycle::RecycleCommand;
pub use reload::ReloadCommand;
pub use resize::ResizeCommand;
pub use retry::RetryCommand;
pub use schedule::ScheduleCommand;
pub use secret::SecretCommand;
pub use show::ShowCommand;
pub use status::StatusCommand;
pub use token::TokenCommand;
pub use top::TopCommand;
pub use transcript::TranscriptCommand;
pub use variable::VariableCommand;
pub use webhook::WebhookCommand;
pub use workflow::WorkflowCommand;
