//! `supervisor variable`: entries of configuration that runs read by their key.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_api::client::DefinitionKind;
use muster_api::{VariableDefinition, VariablesView};
use serde_json::value::{RawValue, to_raw_value};

use super::definition::{ChangeFlags, OwnerFlags};
use super::exit::CommandFailure;
use super::output::{json_line, print_line, print_table};
use super::server::ServerFlags;

/// Set variables: what workflows read with `config.get`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor variable set api_url https://api.example.com
  supervisor variable set retries 3 --organization acme
  supervisor variable list
  supervisor variable remove api_url")]
pub struct VariableCommand {
    #[command(subcommand)]
    action: VariableAction,
}

#[derive(Debug, Subcommand)]
enum VariableAction {
    /// List the variables.
    #[command(after_help = "Examples:
  supervisor variable list
  supervisor variable list --json | jq '.variables[] | select(.organization == \"acme\")'")]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Print the value of one variable, as JSON.
    #[command(after_help = "Examples:
  supervisor variable show api_url
  supervisor variable show api_url --organization acme | jq -r .")]
    Show {
        /// Its key.
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        owner: OwnerFlags,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Set a variable. A value that is JSON is taken as such, any other as text.
    #[command(after_help = "Examples:
  supervisor variable set api_url https://api.example.com
  supervisor variable set hosts '[\"a\", \"b\"]'
  supervisor variable set version 1.10 --text          the text, not the number")]
    Set {
        /// Its key.
        #[arg(value_name = "KEY")]
        key: String,
        /// Its value.
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
        /// Take the value as text, whatever it looks like.
        #[arg(long)]
        text: bool,
        #[command(flatten)]
        owner: OwnerFlags,
        #[command(flatten)]
        change: ChangeFlags,
    },
    /// Remove a variable.
    #[command(after_help = "Examples:
  supervisor variable remove api_url
  supervisor variable remove api_url --organization acme --dry-run")]
    Remove {
        /// Its key.
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        owner: OwnerFlags,
        #[command(flatten)]
        change: ChangeFlags,
    },
}

impl VariableCommand {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode, CommandFailure> {
        match self.action {
            VariableAction::List { json, server } => list(json, &server)?,
            VariableAction::Show { key, owner, server } => {
                let found = server.client()?.defined(owner.thing(DefinitionKind::Variable, &key))?;
                let found: VariableDefinition = found.ok_or_else(|| {
                    CommandFailure::other(format!(
                        "there is no such variable {key:?}: see `supervisor variable list`"
                    ))
                })?;
                print_line(&muster_core::json::one_line(found.value.get()))?;
            }
            VariableAction::Set { key, value, text, owner, change } => {
                let wanted = VariableDefinition {
                    key: key.clone(),
                    organization: owner.organization.clone(),
                    value: json_value(&value, text)?,
                };
                let thing = owner.thing(DefinitionKind::Variable, &key);
                change.report(&change.client()?.define(thing, &wanted, change.dry_run)?)?;
            }
            VariableAction::Remove { key, owner, change } => {
                change.remove(owner.thing(DefinitionKind::Variable, &key))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The JSON that a value on the command line stands for.
fn json_value(value: &str, is_text: bool) -> Result<Box<RawValue>, CommandFailure> {
    let parsed = if is_text { None } else { serde_json::from_str::<Box<RawValue>>(value).ok() };
    match parsed {
        Some(value) => Ok(value),
        None => to_raw_value(value).map_err(|error| CommandFailure::other(error.to_string())),
    }
}

fn list(json: bool, server: &ServerFlags) -> Result<(), CommandFailure> {
    let all: VariablesView = server.client()?.all_defined(DefinitionKind::Variable)?;
    if json {
        return print_line(&json_line(&all));
    }
    let row = |one: &VariableDefinition| {
        let owner = one.organization.clone().unwrap_or_else(|| "-".to_owned());
        vec![one.key.clone(), owner, muster_core::json::one_line(one.value.get()).into_owned()]
    };
    let rows: Vec<Vec<String>> = all.variables.iter().map(row).collect();
    print_table(&["KEY", "ORGANIZATION", "VALUE"], &rows, "no variable is set")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_json_where_it_can_be_and_text_otherwise() {
        for (given, is_text, stands_for) in [
            ("3", false, "3"),
            ("3", true, "\"3\""),
            ("true", false, "true"),
            ("https://x", false, "\"https://x\""),
            ("[1, 2]", false, "[1, 2]"),
            ("", false, "\"\""),
        ] {
            assert_eq!(json_value(given, is_text).unwrap().get(), stands_for);
        }
    }
}
