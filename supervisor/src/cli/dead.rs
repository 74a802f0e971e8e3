//! `supervisor dead`: messages that could not be used.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_core::execution::IdOrPrefix;
use muster_intake::rabbitmq::{AmqpError, DeadLetter, LetterChoice, ReplayError, ReplayResult};
use muster_protocol::spelled_out;
use muster_store::Durability;
use serde::Serialize;

use super::exit::CommandFailure;
use super::output::{note, print, print_line};
use super::served_dead_letters::ServedDeadLetters;
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
    /// Show the messages of one execution, or the one of a key.
    #[command(after_help = "Examples:
  supervisor dead show 5c1b9e02f7aa      by the key that `list` shows
  supervisor dead show 0190b8a0-0000-7000-8000-000000000001
  supervisor dead show 0190b8a0-0000-7000-8000-000000000001 --json | jq -r '.[].message'")]
    Show {
        /// The execution's id or the letter's key, or as many first digits as no other has.
        #[arg(value_name = "ID")]
        which: IdOrPrefix,
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
  supervisor dead replay 5c1b9e02f7aa    by the key that `list` shows
  supervisor dead replay --all")]
    Replay {
        /// Only the messages of this execution, or of this key; the first digits will do.
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        which: Option<IdOrPrefix>,
        /// All that are there now.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Throw dead letters away: all, or those of one execution or key.
    #[command(after_help = "Examples:
  supervisor dead purge --yes
  supervisor dead purge 5c1b9e02f7aa --yes
  supervisor dead list --limit 1000 --json > dead.json && supervisor dead purge --yes")]
    Purge {
        /// Only the messages of this execution, or of this key; the first digits will do.
        #[arg(value_name = "ID")]
        which: Option<IdOrPrefix>,
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
                    let dead = ServedDeadLetters::open(&settings.load_letting_nobody_in()?).await?;
                    let letters = dead.list(limit).await?;
                    if json { print_json(&letters) } else { print_list(&letters, &dead.described().await?) }
                }
                DeadAction::Show { which, json, settings } => {
                    let dead = ServedDeadLetters::open(&settings.load_letting_nobody_in()?).await?;
                    let mut letters = dead.list(usize::MAX).await?;
                    let choice = choose(which, &letters)?;
                    letters.retain(|letter| choice.takes(letter.execution_id, letter.key));
                    if json { print_json(&letters) } else { print_letters(&letters) }
                }
                DeadAction::Replay { which, settings, all: _ } => {
                    replay(which, &settings.load_letting_nobody_in()?).await
                }
                DeadAction::Purge { which, yes, settings } => {
                    purge(which, yes, &settings.load_letting_nobody_in()?).await
                }
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The letters that are meant, which must be there.
fn choose(which: IdOrPrefix, letters: &[DeadLetter]) -> Result<LetterChoice, CommandFailure> {
    let (shown, choices) = match which {
        IdOrPrefix::Id(id) => {
            let choice = LetterChoice::Execution(id);
            let is_there = letters.iter().any(|letter| choice.takes(letter.execution_id, letter.key));
            (id.to_string(), is_there.then_some(choice).into_iter().collect())
        }
        IdOrPrefix::Prefix(prefix) => {
            (prefix.to_string(), LetterChoice::beginning_with(&prefix.to_string(), letters))
        }
    };
    let mut found = choices.iter();
    match (found.next(), found.next()) {
        (Some(choice), None) => Ok(*choice),
        (None, _) => Err(CommandFailure::other(format!(
            "no dead letter is of execution or key {shown}: see `supervisor dead list`"
        ))),
        (Some(_), Some(_)) => {
            let candidates: String = choices.iter().map(|choice| format!("\n  {}", name(*choice))).collect();
            let message =
                format!("{shown} is the beginning of several: write more of the one you mean{candidates}");
            Err(CommandFailure::usage(message))
        }
    }
}

fn name(choice: LetterChoice) -> String {
    match choice {
        LetterChoice::All => "all".to_owned(),
        LetterChoice::Execution(id) => id.to_string(),
        LetterChoice::Key(key) => key.to_string(),
    }
}

/// All, or the letters that are named, in the queues that have any of them.
async fn chosen(
    which: Option<IdOrPrefix>,
    dead: &mut ServedDeadLetters,
) -> Result<LetterChoice, CommandFailure> {
    let Some(which) = which else { return Ok(LetterChoice::All) };
    let letters = dead.list(usize::MAX).await?;
    let choice = choose(which, &letters)?;
    dead.keep_those_of(letters.iter().filter(|letter| choice.takes(letter.execution_id, letter.key)));
    Ok(choice)
}

async fn replay(which: Option<IdOrPrefix>, settings: &Settings) -> Result<(), CommandFailure> {
    let mut dead = ServedDeadLetters::open(settings).await?;
    let choice = chosen(which, &mut dead).await?;
    let store = open_store(settings, Durability::Full).await?.store;
    let replay = dead.replay(choice, &*store).await;
    store.close().await;
    let ReplayResult { replayed, reopened } = replay.map_err(replay_failure)?;
    print_line(&format!("{replayed} replayed, {reopened} of them with a row that was reopened"))
}

async fn purge(which: Option<IdOrPrefix>, yes: bool, settings: &Settings) -> Result<(), CommandFailure> {
    let mut dead = ServedDeadLetters::open(settings).await?;
    let choice = chosen(which, &mut dead).await?;
    if !yes {
        let what = match choice {
            LetterChoice::All => format!("all dead letters of {}", dead.described().await?),
            LetterChoice::Execution(_) | LetterChoice::Key(_) => {
                format!("the dead letters of {}", name(choice))
            }
        };
        return Err(CommandFailure::usage(format!("this throws {what} away; say so with --yes")));
    }
    print_line(&format!("{} purged", dead.purge(choice).await?))
}

/// The letters of one queue after those of another, each with its queue where there are several.
fn print_list(letters: &[DeadLetter], queues: &str) -> Result<(), CommandFailure> {
    if letters.is_empty() {
        note(&spelled_out(&format!("no dead letters of {queues}")));
    }
    let are_of_several = letters.iter().any(|letter| letter.queue != letters[0].queue);
    let line = |letter: &DeadLetter| {
        let id = letter.execution_id.map_or_else(|| format!("{:36}", "-"), |id| id.to_string());
        let queue = if are_of_several { format!("{}: ", letter.queue) } else { String::new() };
        format!("{:>4}  {}  {id}  {queue}{}\n", letter.number, letter.key, letter.reason)
    };
    print(&spelled_out(&letters.iter().map(line).collect::<String>()))
}

fn print_letters(letters: &[DeadLetter]) -> Result<(), CommandFailure> {
    let text = |letter: &DeadLetter| {
        let DeadLetter { number: _, queue, key, execution_id: _, reason, message } = letter;
        format!("key: {key}\nqueue: {queue}\nreason: {reason}\n{message}\n")
    };
    print(&spelled_out(&letters.iter().map(text).collect::<Vec<_>>().join("\n")))
}

fn print_json<T: Serialize>(value: &T) -> Result<(), CommandFailure> {
    print_line(&serde_json::to_string(value).map_err(|error| CommandFailure::other(error.to_string()))?)
}

/// What RabbitMQ's end of it failed with.
pub(super) fn amqp_failure(error: AmqpError) -> CommandFailure {
    match error {
        AmqpError::Url(_) | AmqpError::Certificate(_) | AmqpError::NotBuilt | AmqpError::QueueName(_) => {
            CommandFailure::usage(error.to_string())
        }
        AmqpError::Unreachable(_) => CommandFailure::unavailable(error.to_string()),
        AmqpError::Stream(_) | AmqpError::Refused(_) | AmqpError::NotConfirmed(_) => {
            CommandFailure::other(error.to_string())
        }
    }
}

fn replay_failure(error: ReplayError) -> CommandFailure {
    match error {
        ReplayError::Amqp(error) => amqp_failure(error),
        ReplayError::Store(error) => CommandFailure::other(error.to_string()),
    }
}

impl From<BackendError> for CommandFailure {
    fn from(error: BackendError) -> Self {
        Self::other(error.to_string())
    }
}
