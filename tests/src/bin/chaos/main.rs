//! Executions from RabbitMQ on several supervisors while everything around them is killed and restarted; at
//! the end a ledger of what became of them. See `scripts/chaos`.

mod faults;
mod fleet;
mod ledger;
mod limits;
mod load;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use faults::{Storm, Weather};
use fleet::Fleet;
use ledger::ChaosRecord;
use load::ChaosLoad;
use muster_tests::{Backends, Services};

/// Breaks everything around running executions, and counts.
#[derive(Debug, Parser)]
#[command(
    name = "chaos",
    after_help = "Examples:
  scripts/chaos
  scripts/chaos --executions 500 --seconds 20 --seed 7    the storm of an earlier run again"
)]
struct ChaosArguments {
    /// So many executions are published.
    #[arg(long, default_value_t = 5000)]
    executions: usize,
    /// Spread over so long; the storm lasts as long.
    #[arg(long, value_name = "SECONDS", default_value_t = 150)]
    seconds: u64,
    /// Repeats a storm: the faults, their order and their victims.
    #[arg(long)]
    seed: Option<u64>,
    /// So many supervisors share the work.
    #[arg(long, default_value_t = 3)]
    supervisors: usize,
    /// Each with so many workers.
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// The pause between two faults.
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    every_seconds: f64,
    /// Of what the storm is made.
    #[arg(long, value_enum, default_value_t = Weather::All)]
    weather: Weather,
    /// With --weather limits: the embedded database and one supervisor with all the workers.
    #[arg(long)]
    sqlite: bool,
    /// With --weather upgrade: the folder of the older `supervisor` and `worker`.
    #[arg(long, value_name = "FOLDER", required_if_eq("weather", "upgrade"))]
    older: Option<PathBuf>,
    /// With --weather limits: so many keys.
    #[arg(long, default_value_t = 200)]
    keys: usize,
    /// What a supervisor ran is claimed again this soon after its death (99 of 100).
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    recovery_seconds: f64,
    /// After the storm everything must have ended within this.
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    calm_seconds: u64,
}

fn main() -> ExitCode {
    let arguments = ChaosArguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    say(&format!("seed {seed}: repeat this storm with --seed {seed}"));
    if arguments.weather == Weather::Limits {
        let broken = limits::run(&arguments, seed);
        return judge(broken.unwrap_or_else(|error| vec![format!("{error:#}")]));
    }
    let services = Services::private();
    let backends = services.fresh();
    let ledger = run(&arguments, seed, &services, &backends);
    say(&ledger.to_string());
    judge(ledger.broken())
}

fn judge(broken: Vec<String>) -> ExitCode {
    if broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    say(&format!("NOT HELD: {}", broken.join("; ")));
    ExitCode::FAILURE
}

fn run(arguments: &ChaosArguments, seed: u64, services: &Services, backends: &Backends) -> ChaosRecord {
    let mut random = fastrand::Rng::with_seed(seed);
    let older = arguments.older.as_deref();
    let places = (0..arguments.supervisors).map(|_| fleet::place(backends, arguments.workers));
    let mut fleet = match older {
        None => Fleet::start(places.collect()),
        Some(_) => Fleet::start_older(places.map(|place| place.build(older)).collect()),
    };
    let lasts = Duration::from_secs(arguments.seconds);
    let started = Instant::now();
    let load = ChaosLoad::start(backends.clone(), arguments.executions, lasts, random.fork());
    let every = Duration::from_secs_f64(arguments.every_seconds);
    let mut storm = Storm::new(services, backends, arguments.weather, random, started);
    while started.elapsed() < lasts || !storm.has_shown_all() || !fleet.is_upgraded() {
        // The pace of the storm; nothing waits for anything here.
        std::thread::sleep(every);
        storm.strike(&mut fleet);
    }
    // A broker that took long to come back keeps the publisher, and gets no more blows for it.
    let published = load.published();
    let blows = storm.pass();
    say(&format!(
        "calm after {:.0} s: {} published, {} faults",
        started.elapsed().as_secs_f64(),
        published.len(),
        blows.len()
    ));
    let calm = Duration::from_secs(arguments.calm_seconds);
    let drained = ledger::wait_until_all_ended(backends, published.len(), calm);
    let took = started.elapsed();
    let living = fleet.owners();
    let left = fleet.leave();
    let bar = Duration::from_secs_f64(arguments.recovery_seconds);
    ChaosRecord::write(
        backends,
        &published,
        &blows,
        ledger::Circumstances { took, drained, living, left, bar },
    )
}

/// Through the handle, so that a closed pipe is no panic.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
