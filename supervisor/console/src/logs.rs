//! `supervisor logs`: the log of an execution.

use std::process::ExitCode;

use clap::Args;
use muster_api::LogView;
use muster_core::execution::IdOrPrefix;
use muster_core::json;

use super::exit::CommandFailure;
use super::follow::{follow_log, log_line};
use super::output::{json_line, print, print_line};
use super::server::ServerFlags;
use super::terminal::OutputStream;

/// Print the log of an execution.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor logs 0198aa00-0000-7000-8000-000000000001
  supervisor logs 0198aa00-0000-7000-8000-000000000001 --follow
  supervisor logs 0198aa00-0000-7000-8000-000000000001 --json | jq -r .message")]
pub struct LogsCommand {
    /// Which execution: its id, or as many of its first digits as no other has.
    #[arg(value_name = "ID")]
    id: IdOrPrefix,
    /// Print lines as they come, until the execution is over.
    #[arg(long, short)]
    follow: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl LogsCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let id = client.resolve(self.id)?;
        let terminal = OutputStream::stdout();
        if self.follow {
            // A follower waits for a supervisor that went away, so it first makes sure that there was one.
            client.execution(id, None)?;
            follow_log(&client, id, |line, data| {
                print_line(&if self.json {
                    json::one_line(data).into_owned()
                } else {
                    log_line(line, terminal)
                })
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut cursor = None;
        loop {
            let page = client.logs(id, cursor)?;
            print(&page.logs.iter().map(|line| self.describe(line, terminal)).collect::<String>())?;
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    fn describe(&self, line: &LogView, terminal: OutputStream) -> String {
        let text = match self.json {
            true => json_line(line),
            false => log_line(line, terminal),
        };
        text + "\n"
    }
}
