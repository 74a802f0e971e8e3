//! Fairness: whose executions real workers run, with the real service on PostgreSQL.
//!
//! Each case has a database and a supervisor of its own. What is measured is read from the rows afterwards: when each
//! execution was written, started and ended. Runs sleep, so that the numbers say who got a worker, and little about the
//! machine.

mod cases;
mod measure;
mod plot;
mod service;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use cases::FairnessCase;
use measure::CaseOutcome;
use muster_tests::Services;
use serde_json::json;

/// What may be given.
#[derive(Debug, clap::Args)]
pub(crate) struct FairnessArguments {
    /// How long each case is measured.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// So many executions of one organization wait when another comes.
    #[arg(long, default_value_t = 100_000)]
    backlog: usize,
    /// How many workers there are.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// These cases only, by their letters.
    #[arg(long, default_value = "abcd")]
    cases: String,
    /// Where fairness.json and fairness.svg are written.
    #[arg(long, default_value = "target/fairness")]
    out: PathBuf,
}

/// Measures all cases, and prints a table. The error is a bar that does not hold.
pub(crate) fn run(arguments: &FairnessArguments) -> anyhow::Result<()> {
    let length = Duration::from_secs(arguments.seconds);
    let services = Services::private();
    let mut outcomes = Vec::new();
    for case in cases::all(arguments.backlog) {
        if arguments.cases.contains(case.letter) {
            let outcome = service::measure(&services, &case, arguments.workers, length)
                .with_context(|| format!("case ({})", case.letter))?;
            print(&table_row(&case, &outcome))?;
            outcomes.push((case, outcome));
        }
    }
    std::fs::create_dir_all(&arguments.out)?;
    std::fs::write(arguments.out.join("fairness.svg"), plot::page(&outcomes))?;
    let cases: Vec<_> = outcomes.iter().map(|(case, outcome)| outcome.to_json(case)).collect();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let all = json!({
        "workers": arguments.workers,
        "seconds": arguments.seconds,
        "load": load.trim(),
        "cases": cases,
    });
    std::fs::write(arguments.out.join("fairness.json"), format!("{all:#}\n"))?;
    print(&format!("load {}; written: {}\n", load.trim(), arguments.out.display()))?;
    let missed: Vec<String> = outcomes.iter().flat_map(|(case, outcome)| outcome.missed(case)).collect();
    anyhow::ensure!(missed.is_empty(), "bars that do not hold: {}", missed.join("; "));
    Ok(())
}

fn table_row(case: &FairnessCase, outcome: &CaseOutcome) -> String {
    let mut text = format!("({}) {}\n", case.letter, case.what);
    for (organization, part) in case.organizations.iter().zip(&outcome.parts) {
        text.push_str(&format!(
            "    {:24} {:5.1} % of the worker time, {:5.1} % are its part; {} runs\n",
            organization.name,
            part.share * 100.0,
            part.due * 100.0,
            part.runs,
        ));
    }
    if let Some(wait) = outcome.late_wait {
        text.push_str(&format!("    wait of who came late: p50 {:.2} s, p95 {:.2} s\n", wait.p50, wait.p95));
    }
    text.push_str(&format!(
        "    workers busy {:.1} % of the time, the longest pause of one {:.0} ms\n",
        outcome.busy * 100.0,
        outcome.longest_pause.as_secs_f64() * 1000.0
    ));
    text
}

fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
