//! Private servers that are measured with the supervisor, and what PostgreSQL did meanwhile.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::measured::cpu_seconds_of;

/// Private servers, stopped at the end.
pub(crate) struct Servers {
    script: PathBuf,
    set: String,
    variables: Vec<(String, String)>,
}

impl Servers {
    #[expect(clippy::disallowed_methods, reason = "the script that starts servers is a program")]
    pub(crate) fn start() -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/services");
        let set = format!("bench-{}", std::process::id());
        let output = Command::new(&script).args(["--set", &set, "start"]).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let variables = text.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        });
        Ok(Self { script, set, variables: variables.collect() })
    }

    /// What the environment of a supervisor needs to find them.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    pub(crate) fn url(&self, name: &str) -> anyhow::Result<&str> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        Ok(found.with_context(|| format!("{name} is not among the servers' variables"))?.1.as_str())
    }

    /// What PostgreSQL has done up to now.
    pub(crate) async fn postgres_spent(&self) -> anyhow::Result<PostgresSpent> {
        let mut server = PgConnection::connect(self.url("MUSTER_DATABASE_URL")?).await?;
        let query = "SELECT (pg_current_wal_lsn() - '0/0')::float8, split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
        let row = sqlx::query(query).fetch_one(&mut server).await?;
        let (wal_bytes, process): (f64, String) = (row.get(0), row.get(1));
        Ok(PostgresSpent { wal_bytes, cpu_seconds: cpu_seconds_of(process.trim().parse()?) })
    }
}

/// What PostgreSQL has done between two moments.
pub(crate) struct PostgresSpent {
    /// Bytes of its log of changes.
    pub(crate) wal_bytes: f64,
    /// Seconds of processor time of all its processes.
    pub(crate) cpu_seconds: f64,
}

impl PostgresSpent {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            wal_bytes: self.wal_bytes - before.wal_bytes,
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
        }
    }
}

impl Drop for Servers {
    #[expect(clippy::disallowed_methods, reason = "the script that stops servers is a program")]
    fn drop(&mut self) {
        let _ = Command::new(&self.script).args(["--set", &self.set, "stop"]).output();
    }
}
