//! The supervisors under fire, each in a place of its own, on the same servers.

use std::time::Duration;

use jiff::Timestamp;
use muster_tests::{Backends, Installation, TestClient, TestSupervisor, process};
use rustix::process::Signal;

const READY_WITHIN: Duration = Duration::from_secs(120);
const LEAVES_WITHIN: Duration = Duration::from_secs(60);
/// Workers leave 2 s after the end of their stdin.
const WORKERS_GONE_WITHIN: Duration = Duration::from_secs(10);

/// The shortest that leaves room for a machine with other things to do: what stands still for longer loses its runs.
pub(crate) const LEASE_SECONDS: u64 = 3;

const WORKFLOW: &str = "export default async (params, ctx) => {
  for (let i = 0; i < 3; i++) ctx.log.info(`line ${i} of ${params.n}`);
  await ctx.state.set(`n${params.n}`, ctx.attempt);
  await ctx.sleep(params.ms);
  if (params.fail) throw new RangeError('as planned');
  return params.n;
};\n";

/// Where a supervisor runs the workflow of a storm.
pub(crate) fn place(backends: &Backends, workers: usize) -> Installation {
    Installation::new()
        .backends(backends)
        .setting("max_workers", workers)
        .setting("min_workers", workers.min(2))
        .setting("graceful_shutdown_seconds", 1)
        .setting("lease_seconds", LEASE_SECONDS)
        .workflow("storm.js", WORKFLOW)
}

/// The supervisors.
#[derive(Debug)]
pub(crate) struct Fleet {
    ships: Vec<Ship>,
}

/// A supervisor and its place.
#[derive(Debug)]
struct Ship {
    installation: Installation,
    supervisor: TestSupervisor,
    is_older: bool,
}

impl Ship {
    /// Under which id it claims; none before it says so.
    fn owner(&self) -> Option<String> {
        pool_owner(&self.supervisor)
    }
}

fn pool_owner(supervisor: &TestSupervisor) -> Option<String> {
    let pool = supervisor.client().try_get("/api/pool")?;
    pool.body["supervisor"].as_str().map(str::to_owned)
}

/// A supervisor that was killed.
#[derive(Clone, Debug)]
pub(crate) struct Death {
    /// Its owner id, if it had come so far as to say it.
    pub(crate) owner: Option<String>,
    pub(crate) at: Timestamp,
}

impl Fleet {
    /// One in each of these places.
    pub(crate) fn start(places: Vec<Installation>) -> Self {
        Self::of_builds(places, false)
    }

    /// One of an older build in each of these places.
    pub(crate) fn start_older(places: Vec<Installation>) -> Self {
        Self::of_builds(places, true)
    }

    fn of_builds(places: Vec<Installation>, is_older: bool) -> Self {
        let ship =
            |installation: Installation| Ship { supervisor: installation.spawn(), installation, is_older };
        let fleet = Self { ships: places.into_iter().map(ship).collect() };
        fleet.wait_ready();
        fleet
    }

    /// Waits until all of them are.
    pub(crate) fn wait_ready(&self) {
        self.ships.iter().for_each(|ship| ship.supervisor.wait_ready(READY_WITHIN));
    }

    /// Who asks each of them.
    pub(crate) fn clients(&self) -> Vec<&TestClient> {
        self.ships.iter().map(|ship| ship.supervisor.client()).collect()
    }

    /// The place of the first.
    pub(crate) fn first_place(&self) -> &Installation {
        &self.ships[0].installation
    }

    /// Kills a supervisor with -9 and starts it again in the same place.
    pub(crate) fn kill_supervisor(&mut self, random: &mut fastrand::Rng) -> Death {
        let struck = random.usize(..self.ships.len());
        let ship = &mut self.ships[struck];
        let owner = ship.owner();
        let at = Timestamp::now();
        ship.supervisor.signal(Signal::KILL);
        ship.supervisor.wait_exit(LEAVES_WITHIN);
        ship.supervisor = ship.installation.spawn();
        Death { owner, at }
    }

    /// Puts this build in the place of an older one, which leaves in order or dies; its death, if it does. `None` also
    /// when none is left.
    pub(crate) fn upgrade_supervisor(&mut self, random: &mut fastrand::Rng) -> Option<Death> {
        let at = self.ships.iter().position(|ship| ship.is_older)?;
        let Ship { installation, mut supervisor, .. } = self.ships.remove(at);
        let death = random.bool().then(|| {
            let owner = pool_owner(&supervisor);
            let death = Death { owner, at: Timestamp::now() };
            supervisor.signal(Signal::KILL);
            death
        });
        match &death {
            Some(_) => drop(supervisor.wait_exit(LEAVES_WITHIN)),
            None => drop(supervisor.terminate(LEAVES_WITHIN)),
        }
        let installation = installation.build(None);
        let ship = Ship { supervisor: installation.spawn(), installation, is_older: false };
        ship.supervisor.wait_ready(READY_WITHIN);
        self.ships.push(ship);
        death
    }

    /// True once all are of this build.
    pub(crate) fn is_upgraded(&self) -> bool {
        self.ships.iter().all(|ship| !ship.is_older)
    }

    /// Lets a supervisor stand still for a while. Its workers go on.
    pub(crate) fn freeze_supervisor(&self, random: &mut fastrand::Rng, lasts: Duration) {
        let ship = &self.ships[random.usize(..self.ships.len())];
        ship.supervisor.signal(Signal::STOP);
        std::thread::sleep(lasts);
        ship.supervisor.signal(Signal::CONT);
    }

    /// The owner ids of all that live.
    pub(crate) fn owners(&self) -> Vec<String> {
        self.ships.iter().filter_map(Ship::owner).collect()
    }

    /// Kills a worker, if there is one.
    pub(crate) fn kill_worker(&self, random: &mut fastrand::Rng) {
        let ship = &self.ships[random.usize(..self.ships.len())];
        let workers = ship.supervisor.workers();
        if let Some(worker) = random.choice(workers) {
            process::signal(worker, Signal::KILL);
        }
    }

    /// Lets all supervisors leave, and gives the command lines of the processes that stayed.
    pub(crate) fn leave(self) -> Vec<String> {
        let mut left = Vec::new();
        for Ship { installation, supervisor, .. } in self.ships {
            supervisor.terminate(LEAVES_WITHIN);
            let deadline = std::time::Instant::now() + WORKERS_GONE_WITHIN;
            while !installation.processes().is_empty() && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            left.extend(installation.processes().into_iter().map(process::command_line));
        }
        left
    }
}
