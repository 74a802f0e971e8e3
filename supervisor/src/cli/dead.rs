//! `supervisor dead`: messages that could not be used.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_intake::rabbitmq::{AmqpError, DeadLetter, DeadLetters, ReplayError, ReplayResult};
use muster_protocol::spelled_out;
use muster_store::Durability;
use serde::Serialize;
use uuid::Uuid;

use super::exit::CommandFailure;
use super::output::{note, print, print_line};
use super::setting_flags::SettingFlags;
use crate::service::{BackendError, open_store};
use crate::settings::Settings;

/// Look after dead letters: messages that could not be used, with the reason.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor dead list
  supervisor dead show 0190b8a0-0000-7000-8000-000000000001
  supervisor dead replay --all           after what was wrong is fixed
  supervisor dead purge --yes")]
pub(crate) struct DeadCommand {
    #[command(subcommand)]
    action: DeadAction,
}

#[derive(Debug, Subcommand)]
enum DeadAction {
    /// List the oldest dead letters with their reasons.
    #[command(after_help = "Examples:
  supervisor dead list
  supervisor dead list --limit 1000 --json | jq -r '.[].reason' | sort | uniq -c")]
    List {
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Show the messages of one execution.
    #[command(after_help = "Examples:
  supervisor dead show 0190b8a0-0000-7000-8000-000000000001
  supervisor dead show 0190b8a0-0000-7000-8000-000000000001 --json | jq -r '.[].message'")]
    Show {
        /// Which execution.
        #[arg(value_name = "ID")]
        id: Uuid,
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Put dead letters back into the queue.
    ///
    /// Rows that failed only for want of a usable message (PendingNotFound, InvalidRequest) are forgotten
    /// first, so that the message can run; any other row stays as it is and its message changes nothing.
    #[command(after_help = "Examples:
  supervisor dead replay 0190b8a0-0000-7000-8000-000000000001
  supervisor dead replay --all")]
    Replay {
        /// Only the messages of this execution.
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        id: Option<Uuid>,
        /// All that are there now.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Throw all dead letters away.
    #[command(after_help = "Examples:
  supervisor dead purge --yes
  supervisor dead list --limit 1000 --json > dead.json && supervisor dead purge --yes")]
    Purge {
        /// Really.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
}

impl DeadCommand {
    pub(crate) fn run(self) -> Result<ExitCode, CommandFailure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(async {
            match self.action {
                DeadAction::List { limit, json, settings } => {
                    let letters = open(&settings.load()?).await?.list(limit).await?;
                    if json { print_json(&letters) } else { print_list(&letters) }
                }
                DeadAction::Show { id, json, settings } => {
                    let letters = open(&settings.load()?).await?.of_execution(id).await?;
                    if json { print_json(&letters) } else { print_letters(id, &letters) }
                }
                DeadAction::Replay { id, settings, all: _ } => replay(id, &settings.load()?).await,
                DeadAction::Purge { yes, settings } => purge(yes, &settings.load()?).await,
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn open(settings: &Settings) -> Result<DeadLetters, CommandFailure> {
    let Some(url) = &settings.amqp_url else {
        return Err(CommandFailure::usage(
            "there are no dead letters without RabbitMQ: set amqp_url (--amqp-url, MUSTER_AMQP_URL); executions of \
             the embedded queue that could not run are in `supervisor list --status FAILED`",
        ));
    };
    Ok(DeadLetters::open(settings.server(url), &settings.queue).await?)
}

async fn replay(id: Option<Uuid>, settings: &Settings) -> Result<(), CommandFailure> {
    let dead = open(settings).await?;
    let store = open_store(settings, Durability::Full).await?.store;
    let ReplayResult { replayed, reopened } = dead.replay(id, &*store).await?;
    if let Some(id) = id.filter(|_| replayed == 0) {
        return Err(CommandFailure::other(format!(
            "no dead letter is of execution {id}: see `supervisor dead list`"
        )));
    }
    print_line(&format!("{replayed} replayed, {reopened} of them with a row that was reopened"))
}

async fn purge(yes: bool, settings: &Settings) -> Result<(), CommandFailure> {
    let dead = open(settings).await?;
    if !yes {
        return Err(CommandFailure::usage("this throws all dead letters away; say so with --yes"));
    }
    print_line(&format!("{} purged", dead.purge().await?))
}

fn print_list(letters: &[DeadLetter]) -> Result<(), CommandFailure> {
    if letters.is_empty() {
        note("no dead letters");
    }
    let line = |letter: &DeadLetter| {
        let id = letter.execution_id.map_or_else(|| format!("{:36}", "-"), |id| id.to_string());
        format!("{:>4}  {id}  {}\n", letter.number, letter.reason)
    };
    print(&spelled_out(&letters.iter().map(line).collect::<String>()))
}

fn print_letters(id: Uuid, letters: &[DeadLetter]) -> Result<(), CommandFailure> {
    if letters.is_empty() {
        return Err(CommandFailure::other(format!(
            "no dead letter is of execution {id}: see `supervisor dead list`"
        )));
    }
    let text = |letter: &DeadLetter| format!("reason: {}\n{}\n", letter.reason, letter.message);
    print(&spelled_out(&letters.iter().map(text).collect::<Vec<_>>().join("\n")))
}

fn print_json<T: Serialize>(value: &T) -> Result<(), CommandFailure> {
    print_line(&serde_json::to_string(value).map_err(|error| CommandFailure::other(error.to_string()))?)
}

impl From<AmqpError> for CommandFailure {
    fn from(error: AmqpError) -> Self {
        match error {
            AmqpError::Url(_) | AmqpError::Certificate(_) | AmqpError::NotBuilt | AmqpError::QueueName(_) => {
                Self::usage(error.to_string())
            }
            AmqpError::Unreachable(_) => Self::unavailable(error.to_string()),
            AmqpError::Refused(_) | AmqpError::NotConfirmed(_) => Self::other(error.to_string()),
        }
    }
}

impl From<ReplayError> for CommandFailure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Amqp(error) => error.into(),
            ReplayError::Store(error) => Self::other(error.to_string()),
        }
    }
}

impl From<BackendError> for CommandFailure {
    fn from(error: BackendError) -> Self {
        Self::other(error.to_string())
    }
}
