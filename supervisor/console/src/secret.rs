//! `supervisor secret`: entries of configuration whose values are never shown.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_api::client::DefinitionKind;
use muster_api::{SecretView, SecretsView};
use muster_settings::secret_keys::SecretKeys;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::definition::{ChangeFlags, OwnerFlags};
use super::exit::CommandFailure;
use super::output::{json_line, print_line, print_table};
use super::server::ServerFlags;

/// Set secrets: what workflows read with `config.get`, and nobody else sees.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor secret set stripe_key                     asks for it
  supervisor secret set stripe_key < stripe.key
  supervisor secret list
  supervisor secret remove stripe_key")]
pub struct SecretCommand {
    #[command(subcommand)]
    action: SecretAction,
}

#[derive(Debug, Subcommand)]
enum SecretAction {
    /// List the secrets, without their values.
    #[command(after_help = "Examples:
  supervisor secret list
  supervisor secret list --json | jq -r '.secrets[].key'")]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Set a secret to what comes on standard input; on a terminal it is asked for and not shown.
    ///
    /// A line end after it is no part of it.
    #[command(after_help = "Examples:
  supervisor secret set stripe_key
  pass show stripe | supervisor secret set stripe_key --organization acme
  supervisor secret set account --as-json < account.json")]
    Set {
        /// Its key.
        #[arg(value_name = "KEY")]
        key: String,
        /// Take it as JSON, not as text.
        #[arg(long)]
        as_json: bool,
        #[command(flatten)]
        owner: OwnerFlags,
        #[command(flatten)]
        change: ChangeFlags,
    },
    /// Make a key that secrets are encrypted with, and print it.
    #[command(after_help = "Examples:
  supervisor secret key > secret.key && chmod 600 secret.key     then secret_key_file = \"secret.key\"
  export MUSTER_SECRET_KEY=$(supervisor secret key)")]
    Key,
    /// Encrypt every secret with the current key: those in clear, and those encrypted with another.
    ///
    /// To change the key, put a new one before the old one in secret_key on every supervisor, restart them, and run this;
    /// then the old one can go.
    #[command(after_help = "Examples:
  supervisor secret rotate
  supervisor secret rotate --json | jq '.changes | length'")]
    Rotate {
        /// Print what was encrypted as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Remove a secret.
    #[command(after_help = "Examples:
  supervisor secret remove stripe_key
  supervisor secret remove stripe_key --organization acme")]
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

/// The body that sets one.
#[derive(Serialize)]
struct SecretBody {
    value: Box<RawValue>,
}

impl SecretCommand {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode, CommandFailure> {
        match self.action {
            SecretAction::List { json, server } => list(json, &server)?,
            SecretAction::Set { key, as_json, owner, change } => {
                let value = json_value(&read_secret(&key)?, as_json)?;
                let thing = owner.thing(DefinitionKind::Secret, &key);
                let plan = change.client()?.define(thing, &SecretBody { value }, change.dry_run)?;
                change.report(&plan)?;
            }
            SecretAction::Key => print_line(&SecretKeys::make())?,
            SecretAction::Rotate { json, server } => {
                let plan = server.client()?.rotate_secrets()?;
                if json {
                    print_line(&json_line(&plan))?;
                } else {
                    print_line(&format!("{} encrypted with the current key", plan.changes.len()))?;
                }
            }
            SecretAction::Remove { key, owner, change } => {
                change.remove(owner.thing(DefinitionKind::Secret, &key))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read_secret(key: &str) -> Result<String, CommandFailure> {
    if std::io::stdin().is_terminal() {
        let asked = rpassword::prompt_password(format!("value of {key} (not shown): "));
        return asked.map_err(|error| CommandFailure::other(format!("cannot read the secret: {error}")));
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| {
        CommandFailure::other(format!("cannot read the secret from standard input: {error}"))
    })?;
    let end =
        text.strip_suffix('\n').map_or(text.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    text.truncate(end);
    Ok(text)
}

fn json_value(text: &str, as_json: bool) -> Result<Box<RawValue>, CommandFailure> {
    if text.is_empty() {
        return Err(CommandFailure::usage("the secret is empty: give it on standard input"));
    }
    if as_json {
        // The text is not quoted: it is a secret.
        return serde_json::from_str(text).map_err(|_| {
            CommandFailure::usage("the secret is no JSON: leave --as-json out to take it as text")
        });
    }
    to_raw_value(text).map_err(|error| CommandFailure::other(error.to_string()))
}

fn list(json: bool, server: &ServerFlags) -> Result<(), CommandFailure> {
    let all: SecretsView = server.client()?.all_defined(DefinitionKind::Secret)?;
    if json {
        return print_line(&json_line(&all));
    }
    let row = |one: &SecretView| {
        let sealed = one.key_id.clone().unwrap_or_else(|| "no: run `supervisor secret rotate`".to_owned());
        vec![one.key.clone(), one.organization.clone().unwrap_or_else(|| "-".to_owned()), sealed]
    };
    let rows: Vec<Vec<String>> = all.secrets.iter().map(row).collect();
    print_table(&["KEY", "ORGANIZATION", "ENCRYPTED WITH"], &rows, "no secret is set")
}
