//! Measures Muster against a bare pipe between two processes. Run it with `scripts/bench`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

mod batch;
mod claims;
mod embedded;
mod fairness;
mod http;
mod instructions;
mod measured;
mod pin;
mod ping_pong;
mod posting;
mod record;
mod round_trip;
mod servers;
mod service;
mod start;

/// Benchmarks. Every ratio is measured side by side in one run, because machines are noisy.
#[derive(Parser)]
struct BenchArguments {
    #[command(subcommand)]
    what: BenchKind,
}

#[derive(Subcommand)]
enum BenchKind {
    /// A pool's round trip beside a bare pipe's, with both ends on one core and on two.
    Pool {
        /// Round trips per measurement.
        #[arg(long, default_value_t = 50_000)]
        round_trips: u32,
        /// The level of confinement: off, scoped or strict.
        #[arg(long, default_value = "off")]
        confinement: String,
        /// The worker to measure: the `worker` beside this program, unless given.
        #[arg(long)]
        worker: Option<PathBuf>,
    },
    /// `supervisor batch` over no-op executions of 1 KiB with two workers.
    Batch {
        /// How many.
        #[arg(long, default_value_t = 100_000)]
        executions: u32,
        #[command(flatten)]
        builds: Builds,
    },
    /// The embedded store with two workers: submits over HTTP, draining what waits, and a lone execution.
    Embedded {
        /// How many are submitted and drained.
        #[arg(long, default_value_t = 100_000)]
        executions: u32,
        #[command(flatten)]
        builds: Builds,
    },
    /// From RabbitMQ to the last commit in PostgreSQL, and over HTTP, with two workers, on private servers.
    Service {
        /// How many.
        #[arg(long, default_value_t = 20_000)]
        executions: u32,
        #[command(flatten)]
        builds: Builds,
    },
    /// From spawn to Ready, at each level of confinement, with and without control groups.
    Start {
        /// Starts per level.
        #[arg(long, default_value_t = 200)]
        starts: usize,
        /// The worker to measure: the `worker` beside this program, unless given.
        #[arg(long)]
        worker: Option<PathBuf>,
    },
    /// A claim of 64 waiting rows in PostgreSQL: alone, beside many behind a full limit, of many organizations.
    Claims {
        /// Claims per measurement.
        #[arg(long, default_value_t = 200)]
        claims: usize,
        /// So many wait behind a full limit.
        #[arg(long, default_value_t = 1_000_000)]
        behind: usize,
        /// So many organizations have something waiting.
        #[arg(long, default_value_t = 10_000)]
        organizations: usize,
    },
    /// Whose executions real workers run: worker time by organization, with a plot.
    Fairness(fairness::FairnessArguments),
    /// Work with a number of executions, for whoever counts its instructions.
    #[command(hide = true)]
    Instructions {
        /// What is done with them.
        work: instructions::CountedWork,
        /// So many.
        #[arg(long)]
        executions: u32,
    },
    /// The other end of the bare pipe: writes back every byte it reads.
    #[command(hide = true)]
    Echo,
}

/// Which builds are measured, in turns.
#[derive(clap::Args)]
struct Builds {
    /// The folder of an older build's binaries, measured after this one's.
    #[arg(long)]
    against: Option<PathBuf>,
    /// So many turns.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

impl Builds {
    fn each(&self, measure: impl Fn(&Path) -> anyhow::Result<String>) -> anyhow::Result<()> {
        let here = std::env::current_exe()?.parent().context("this program has no folder")?.to_owned();
        for _ in 0..self.rounds {
            for folder in std::iter::once(&here).chain(&self.against) {
                let measured = measure(folder)?;
                write!(std::io::stdout(), "{}\n{measured}", folder.display())?;
            }
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    match BenchArguments::parse().what {
        BenchKind::Pool { round_trips, confinement, worker } => {
            round_trip::compare(round_trips, &confinement, worker)
        }
        BenchKind::Batch { executions, builds } => builds.each(|folder| batch::run(folder, executions)),
        BenchKind::Embedded { executions, builds } => builds.each(|folder| embedded::run(folder, executions)),
        BenchKind::Service { executions, builds } => builds.each(|folder| service::run(folder, executions)),
        BenchKind::Start { starts, worker } => start::compare(starts, worker),
        BenchKind::Claims { claims, behind, organizations } => claims::run(claims, behind, organizations),
        BenchKind::Fairness(arguments) => fairness::run(&arguments),
        BenchKind::Instructions { work, executions } => instructions::run(work, executions),
        BenchKind::Echo => ping_pong::echo(),
    }
}
