//! `supervisor apply`: makes what is defined match a file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use muster_api::client::ClientError;
use muster_api::file::parse;

use super::definition::ChangeFlags;
use super::exit::CommandFailure;

/// Make what is defined match a file, all or nothing, and print what changed like a diff.
///
/// What the file does not name stays as it is, unless --prune is given. Secrets are in no file and are never removed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor apply muster.defs.toml --dry-run
  supervisor apply muster.defs.toml
  supervisor apply muster.defs.toml --prune           removes what the file does not name
  supervisor export > muster.defs.toml                writes the file

The file:
  [organizations.acme]
  name = \"Acme Ltd.\"

  [workflows.\"billing/invoice\"]
  path = \"billing/invoice.py\"
  function = \"run\"
  timeout_seconds = 60
  queue = \"python\"
  retry = { max_attempts = 3, backoff_seconds = 5 }
  concurrency = { total = 20, per_key = 2, key = \"parameters.customer\" }
  limits = [\"crm\"]

  [limits.crm]
  total = 20
  rate = \"100/60s\"

  [config.global]
  api_url = \"https://api.example.com\"

  [config.acme]
  region = \"eu\"")]
pub struct ApplyCommand {
    /// The file of definitions.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Remove what the file does not name.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    change: ChangeFlags,
}

impl ApplyCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let name = self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| CommandFailure::usage(format!("cannot read {name}: {error}")))?;
        let (wanted, places) =
            parse(&name, &text).map_err(|error| CommandFailure::usage(error.to_string()))?;
        let plan = self.change.client()?.apply(&wanted, self.prune, self.change.dry_run);
        let plan = plan.map_err(|error| {
            if let ClientError::Refused { status: 400, problems, .. } = &error
                && !problems.is_empty()
            {
                let located: Vec<String> = problems.iter().map(|problem| places.locate(problem)).collect();
                return CommandFailure::usage(format!("nothing was changed:\n{}", located.join("\n")));
            }
            error.into()
        })?;
        self.change.report(&plan)?;
        Ok(ExitCode::SUCCESS)
    }
}
