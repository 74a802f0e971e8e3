//! What a worker's command line can say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Runs workflows: for a supervisor that starts it, or one at a time in a terminal.
#[derive(Debug, Parser)]
#[command(
    name = "worker",
    version,
    about,
    after_help = "\
A supervisor starts this program with MUSTER_PROTOCOL=1 in the environment; then it serves frames on its \
standard streams. The rest is for people.

Examples:
  worker list --workflows-dir ./workflows
  worker run hello --params '{\"name\": \"Ada\"}'
  worker replay failure.jsonl
  worker serve --json          (play the supervisor yourself, one line of JSON per message)"
)]
pub(crate) struct WorkerArguments {
    #[command(subcommand)]
    pub(crate) command: Option<WorkerCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// Serve a supervisor on stdin and stdout
    #[command(after_help = "\
Examples:
  supervisor run --worker-command 'worker serve' --workflows-dir ./workflows
  worker serve --json

Exit status: 0 the supervisor is done with it, 65 the supervisor broke the protocol, 69 the workflows cannot be loaded, \
71 no common version.")]
    Serve {
        /// One line of JSON per message instead of binary frames
        #[arg(long)]
        json: bool,
    },
    /// Run one execution here: logs on stderr, the result on stdout
    #[command(after_help = "\
Examples:
  worker run hello --params '{\"name\": \"Ada\"}'
  worker run transform --params @records.json --timeout 10
  echo '{\"pages\": 3}' | worker run pages --params -
  worker run --code try.js --config region=eu --state visits=41
  worker run report --config @config.json --state @state.json

Exit status: 0 the workflow succeeded, 1 it failed, 124 it ran out of time, 2 the command line makes no sense.")]
    Run(RunArguments),
    /// Run a recorded execution again, with the answers it got then, and show the first difference
    #[command(after_help = "\
Examples:
  supervisor transcript 0198aa00-0000-7000-8000-000000000001 --out failure.jsonl
  worker replay failure.jsonl
  worker replay failure.jsonl --config api_key=the-real-one      (secrets are masked in transcripts)

Exit status: 0 it did the same again, 1 it did not, 2 the file cannot be replayed.")]
    Replay(ReplayArguments),
    /// List the workflows that are there, and where
    #[command(after_help = "\
Examples:
  worker list --workflows-dir ./workflows
  worker list --json | jq -r .workflow")]
    List {
        /// Where workflow files are
        #[arg(long, value_name = "DIR", default_value_os_t = workflows_dir())]
        workflows_dir: PathBuf,
        /// One line of JSON per workflow
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The workflow's name; with --code only a label
    #[arg(required_unless_present = "code")]
    pub(crate) workflow: Option<String>,
    /// The parameters: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) params: Option<String>,
    /// Run this file's code instead of a named workflow
    #[arg(long, value_name = "FILE")]
    pub(crate) code: Option<PathBuf>,
    /// End it after so many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) timeout: Option<f64>,
    /// Configuration entries it will see; VALUE is JSON or else text, FILE holds a JSON object
    #[arg(long, value_name = "KEY=VALUE|@FILE", value_parser = entries)]
    pub(crate) config: Vec<Entries>,
    /// State entries it will find; state is kept in memory for this run only
    #[arg(long, value_name = "KEY=VALUE|@FILE", value_parser = entries)]
    pub(crate) state: Vec<Entries>,
    #[command(flatten)]
    pub(crate) folder: FolderFlags,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// A transcript, saved with `supervisor transcript ID --out FILE`
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Save what it does now as a transcript too, for `supervisor transcript diff`; secrets are not masked in it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Configuration entries in the place of masked ones; VALUE is JSON or else text, FILE holds a JSON object
    #[arg(long, value_name = "KEY=VALUE|@FILE", value_parser = entries)]
    pub(crate) config: Vec<Entries>,
    #[command(flatten)]
    pub(crate) folder: FolderFlags,
}

/// Where workflows come from, and what they may use.
#[derive(Debug, Args)]
pub(crate) struct FolderFlags {
    /// Where workflow files are
    #[arg(long, value_name = "DIR", default_value_os_t = workflows_dir())]
    pub(crate) workflows_dir: PathBuf,
    /// What JavaScript may use, in MiB; 0 means no limit
    #[arg(long, value_name = "MB", default_value_t = 0)]
    pub(crate) memory_limit_mb: u64,
}

/// The folder a supervisor with the same environment would name.
fn workflows_dir() -> PathBuf {
    std::env::var_os("MUSTER_WORKFLOWS_DIR").map_or_else(|| PathBuf::from("./workflows"), PathBuf::from)
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds < 1e9 => Ok(seconds),
        Ok(_) | Err(_) => Err("a number of seconds above 0 is needed, such as 10 or 0.5".to_owned()),
    }
}

/// What one `--config` or `--state` says.
pub(crate) type Entries = BTreeMap<String, serde_json::Value>;

/// `KEY=VALUE`, or `@FILE` with a JSON object.
fn entries(text: &str) -> Result<Entries, String> {
    let Some(file) = text.strip_prefix('@') else { return entry(text).map(|entry| Entries::from([entry])) };
    let json = std::fs::read_to_string(file).map_err(|error| format!("the file cannot be read: {error}"))?;
    serde_json::from_str(&json)
        .map_err(|error| format!("the file must hold a JSON object, {{\"KEY\": VALUE, ...}}: {error}"))
}

fn entry(text: &str) -> Result<(String, serde_json::Value), String> {
    let (key, value) =
        text.split_once('=').ok_or("KEY=VALUE is needed, such as region=eu, or @FILE with a JSON object")?;
    if key.is_empty() {
        return Err("the key before = is empty".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_examples() {
        let mut command = <WorkerArguments as clap::CommandFactory>::command();
        command.build();
        assert!(command.render_long_help().to_string().contains("Examples:\n  worker list"));
        for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:"), "{help}");
        }
    }

    #[test]
    fn entries_are_json_or_text() {
        assert_eq!(entry("n=41").unwrap(), ("n".to_owned(), 41.into()));
        assert_eq!(entry("region=eu=1").unwrap(), ("region".to_owned(), "eu=1".into()));
        assert!(entry("region").is_err());
        assert!(entry("=x").is_err());
    }

    #[test]
    fn a_timeout_is_a_positive_number() {
        assert_eq!(seconds("0.5"), Ok(0.5));
        for text in ["0", "-1", "NaN", "inf", "ten"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
