//! `supervisor changes`: who changed what is defined.

use std::process::ExitCode;

use clap::Args;
use muster_protocol::spelled_out;

use super::definition::change_text;
use super::exit::CommandFailure;
use super::human;
use super::output::{json_line, note, print, print_line};
use super::server::ServerFlags;

/// List who changed which definitions, newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor changes
  supervisor changes --limit 1000 --json | jq -r '.changes[] | select(.change.name == \"api_url\") | .who'")]
pub struct ChangesCommand {
    /// At most so many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on where the page before ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<i64>,
    /// Print the page as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ChangesCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let page = self.server.client()?.changes(self.limit, self.cursor)?;
        if self.json {
            print_line(&json_line(&page))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut text = String::new();
        for change in &page.changes {
            text.push_str(&format!("{}  {}\n", human::time(change.at), change.who));
            text.push_str(&change_text(&change.change));
        }
        print(&spelled_out(&text))?;
        match page.next_cursor {
            Some(cursor) => note(&format!("older ones: --cursor {cursor}")),
            None if page.changes.is_empty() => note("nothing was changed yet"),
            None => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}
