//! The command line of `supervisor`: one file per command.
//!
//! A command reads its flags, calls one module that does the work, and writes what came of it: results on
//! stdout, everything else on stderr. No command decides anything about executions.

mod addressed;
mod apply;
mod batch;
mod broker;
mod cancel;
mod changes;
mod check_worker;
mod completions;
mod config;
mod dashboard;
mod dead;
mod definition;
mod doctor;
pub mod exit;
mod explain;
mod export;
mod fleet;
mod follow;
mod human;
mod limit;
mod list;
mod logs;
mod mcp;
mod migrate;
mod organization;
mod output;
mod pause;
mod prune;
mod recycle;
mod reload;
mod resize;
mod retry;
mod run;
mod schedule;
mod secret;
mod selection;
mod served_dead_letters;
mod server;
mod setting_flags;
mod show;
mod status;
mod submit;
mod submit_file;
mod terminal;
mod token;
mod top;
mod transcript;
mod variable;
mod webhook;
mod workflow;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use exit::CommandFailure;
use muster_system::process::close_to_others;

/// Runs workflow executions in a pool of warm worker processes, and finalizes each exactly once.
#[derive(Debug, Parser)]
#[command(name = "supervisor", version, about, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

const EXAMPLES: &str = "Examples:
  supervisor run                                     the service, with no settings and no server
  supervisor submit hello --wait                     run a workflow and print its result
  supervisor config --max-workers 20                 the settings that would be in force

`supervisor COMMAND --help` has examples for each command.";

#[derive(Debug, Subcommand)]
enum CliCommand {
    Run(run::RunCommand),
    Batch(batch::BatchCommand),
    Submit(Box<submit::SubmitCommand>),
    Status(status::StatusCommand),
    Fleet(fleet::FleetCommand),
    Report(fleet::ReportCommand),
    Top(top::TopCommand),
    Mcp(mcp::McpCommand),
    Dashboard(dashboard::DashboardCommand),
    List(list::ListCommand),
    Show(show::ShowCommand),
    Logs(logs::LogsCommand),
    Transcript(transcript::TranscriptCommand),
    Explain(explain::ExplainCommand),
    Cancel(cancel::CancelCommand),
    Retry(retry::RetryCommand),
    Limit(limit::LimitCommand),
    Pause(pause::PauseCommand),
    Resume(pause::ResumeCommand),
    Pauses(pause::PausesCommand),
    Recycle(recycle::RecycleCommand),
    Resize(resize::ResizeCommand),
    Reload(reload::ReloadCommand),
    Apply(apply::ApplyCommand),
    Export(export::ExportCommand),
    Workflow(workflow::WorkflowCommand),
    Organization(organization::OrganizationCommand),
    Schedule(schedule::ScheduleCommand),
    Webhook(webhook::WebhookCommand),
    Prune(prune::PruneCommand),
    Variable(variable::VariableCommand),
    Secret(secret::SecretCommand),
    Token(token::TokenCommand),
    Changes(changes::ChangesCommand),
    Dead(dead::DeadCommand),
    Doctor(doctor::DoctorCommand),
    Config(config::ConfigCommand),
    Migrate(migrate::MigrateCommand),
    CheckWorker(check_worker::CheckWorkerCommand),
    Completions(completions::CompletionsCommand),
}

/// Runs the command this process was started with.
pub fn run() -> ExitCode {
    // Before any secret is read: commands hold the token, the service and `batch` everything.
    close_to_others();
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

impl CliCommand {
    fn run(self) -> Result<ExitCode, CommandFailure> {
        match self {
            Self::Run(command) => command.run(),
            Self::Batch(command) => command.run(),
            Self::Submit(command) => command.run(),
            Self::Status(command) => command.run(),
            Self::Fleet(command) => command.run(),
            Self::Report(command) => command.run(),
            Self::Top(command) => command.run(),
            Self::Mcp(command) => command.run(),
            Self::Dashboard(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Show(command) => command.run(),
            Self::Logs(command) => command.run(),
            Self::Transcript(command) => command.run(),
            Self::Explain(command) => command.run(),
            Self::Cancel(command) => command.run(),
            Self::Retry(command) => command.run(),
            Self::Limit(command) => command.run(),
            Self::Pause(command) => command.run(),
            Self::Resume(command) => command.run(),
            Self::Pauses(command) => command.run(),
            Self::Recycle(command) => command.run(),
            Self::Resize(command) => command.run(),
            Self::Reload(command) => command.run(),
            Self::Migrate(command) => command.run(),
            Self::Apply(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Workflow(command) => command.run(),
            Self::Organization(command) => command.run(),
            Self::Schedule(command) => command.run(),
            Self::Webhook(command) => command.run(),
            Self::Prune(command) => command.run(),
            Self::Variable(command) => command.run(),
            Self::Secret(command) => command.run(),
            Self::Token(command) => command.run(),
            Self::Changes(command) => command.run(),
            Self::Dead(command) => command.run(),
            Self::Doctor(command) => command.run(),
            Self::Config(command) => command.run(),
            Self::CheckWorker(command) => command.run(),
            Self::Completions(command) => command.run(),
        }
    }
}
