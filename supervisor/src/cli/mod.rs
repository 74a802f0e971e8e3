//! The command line of `supervisor`: all commands, and one file for each that opens a store or a broker, or runs workers.
//! The others are those of [`muster_console`].
//!
//! A command reads its flags, calls one module that does the work, and writes what came of it: results on
//! stdout, everything else on stderr. No command decides anything about executions.

mod batch;
mod broker;
mod check_worker;
mod completions;
mod dead;
mod doctor;
mod migrate;
mod run;
mod served_dead_letters;
mod submit;
mod submit_file;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use muster_console::{
    ApplyCommand, CancelCommand, ChangesCommand, ConfigCommand, DashboardCommand, ExplainCommand,
    ExportCommand, FleetCommand, LimitCommand, ListCommand, LogsCommand, McpCommand, OrganizationCommand,
    PauseCommand, PausesCommand, PruneCommand, RecycleCommand, ReloadCommand, ReportCommand, ResizeCommand,
    ResumeCommand, RetryCommand, ScheduleCommand, SecretCommand, ShowCommand, StatusCommand, TokenCommand,
    TopCommand, TranscriptCommand, VariableCommand, WebhookCommand, WorkflowCommand,
};
use muster_system::process::close_to_others;

pub use muster_console::exit;
use muster_console::{finite, follow, output, server, setting_flags, terminal};

use self::exit::CommandFailure;

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
    Status(StatusCommand),
    Fleet(FleetCommand),
    Report(ReportCommand),
    Top(TopCommand),
    Mcp(McpCommand),
    Dashboard(DashboardCommand),
    List(ListCommand),
    Show(ShowCommand),
    Logs(LogsCommand),
    Transcript(TranscriptCommand),
    Explain(ExplainCommand),
    Cancel(CancelCommand),
    Retry(RetryCommand),
    Limit(LimitCommand),
    Pause(PauseCommand),
    Resume(ResumeCommand),
    Pauses(PausesCommand),
    Recycle(RecycleCommand),
    Resize(ResizeCommand),
    Reload(ReloadCommand),
    Apply(ApplyCommand),
    Export(ExportCommand),
    Workflow(WorkflowCommand),
    Organization(OrganizationCommand),
    Schedule(ScheduleCommand),
    Webhook(WebhookCommand),
    Prune(PruneCommand),
    Variable(VariableCommand),
    Secret(SecretCommand),
    Token(TokenCommand),
    Changes(ChangesCommand),
    Dead(dead::DeadCommand),
    Doctor(doctor::DoctorCommand),
    Config(ConfigCommand),
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
