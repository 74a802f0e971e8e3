//! How workers take what is done to them.

use std::time::Duration;

use muster_core::pool::{KillCause, PoolInvariant, WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;
use muster_protocol::RunOutcome;

use super::super::model::{Leaves, exited, finished};
use super::{Happening, World};
use crate::simulator::{ms, require};

impl World {
    pub(super) fn react_to_cancel(&mut self, worker: WorkerId, run: u32) {
        let how_fast = self.rng.u8(..);
        let succeeds = self.rng.u8(..) < 60;
        let model = self.live(worker);
        require(model.features.cancel, PoolInvariant::AddressesLive, || {
            "a Cancel to a worker that takes none".into()
        });
        require(
            model.run.as_ref().is_some_and(|held| held.number == run),
            PoolInvariant::AddressesLive,
            || "a Cancel for no run".into(),
        );
        let leaves = model.leaves;
        let ended = RunOutcome::Cancelled { message: "stopped".to_owned() };
        let won = RunOutcome::Succeeded { result: muster_protocol::JsonBytes::from(b"2".to_vec()) };
        let outcome = if succeeds { won } else { ended };
        let idle = WorkerEvent::Idle { run, rss_bytes: 1_000, recycle: false };
        let finish_in = Duration::from_micros(u64::from(how_fast) * 300);
        match leaves {
            Leaves::Politely => {
                self.schedule(finish_in, Happening::InRun(worker, run, finished(run, outcome)));
                self.schedule(finish_in, Happening::InRun(worker, run, idle));
            }
            Leaves::Slowly => {
                self.schedule(finish_in, Happening::InRun(worker, run, finished(run, outcome)));
                let idle_in = ms(&mut self.rng, 10, 8_000);
                self.schedule(idle_in, Happening::InRun(worker, run, idle));
            }
            Leaves::AtSigtermWithResult
            | Leaves::AtSigterm
            | Leaves::AtSigkillWithResult
            | Leaves::AtSigkill => {}
        }
    }

    pub(super) fn react_to_retire(&mut self, worker: WorkerId) {
        let exits_in = ms(&mut self.rng, 0, 30);
        let exit = exited(&mut self.rng, ExitStatus::Code(0));
        let model = self.live(worker);
        require(model.is_spawned, PoolInvariant::AddressesLive, || {
            format!("{worker} is retired before it exists")
        });
        require(model.run.is_none(), PoolInvariant::OneRun, || {
            format!("{worker} is retired with a run in hand")
        });
        require(
            !model.was_retired && !model.was_terminated && !model.was_killed,
            PoolInvariant::AddressesLive,
            || "a Retire to a worker that leaves".into(),
        );
        model.was_retired = true;
        model.is_idle = false;
        if matches!(model.leaves, Leaves::Politely | Leaves::Slowly) {
            self.schedule(exits_in, Happening::Worker(worker, exit));
        }
    }

    pub(super) fn react_to_sigterm(&mut self, worker: WorkerId, cause: KillCause) {
        let exits_in = ms(&mut self.rng, 0, 300);
        let exit = exited(&mut self.rng, ExitStatus::Signal(15));
        let model = self.live(worker);
        require(
            model.is_spawned && !model.was_terminated && !model.was_killed,
            PoolInvariant::AddressesLive,
            || format!("a second SIGTERM to {worker}"),
        );
        model.was_terminated = true;
        model.is_idle = false;
        let leaves = model.leaves;
        let held = model.run.clone();
        if let (KillCause::Cancelled(reason), Some(held)) = (cause, &held)
            && self.in_flight.entry(held.attempt).told.is_none()
        {
            self.told(held.attempt, reason);
        }
        let result = RunOutcome::Succeeded { result: muster_protocol::JsonBytes::from(b"3".to_vec()) };
        match leaves {
            Leaves::Politely | Leaves::Slowly | Leaves::AtSigterm => {
                self.schedule(exits_in, Happening::Worker(worker, exit));
            }
            Leaves::AtSigtermWithResult => {
                if let Some(held) = held {
                    let event = finished(held.number, result);
                    self.schedule(exits_in / 2, Happening::InRun(worker, held.number, event));
                }
                self.schedule(exits_in, Happening::Worker(worker, exit));
            }
            Leaves::AtSigkillWithResult => {
                if let Some(held) = held {
                    let idle = WorkerEvent::Idle { run: held.number, rss_bytes: 1_000, recycle: false };
                    let event = finished(held.number, result);
                    self.schedule(exits_in / 2, Happening::InRun(worker, held.number, event));
                    self.schedule(exits_in / 2, Happening::InRun(worker, held.number, idle));
                }
            }
            Leaves::AtSigkill => {}
        }
    }

    pub(super) fn react_to_sigkill(&mut self, worker: WorkerId, _cause: KillCause) {
        let exits_in = ms(&mut self.rng, 0, 20);
        let exit = exited(&mut self.rng, ExitStatus::Signal(9));
        let model = self.live(worker);
        require(model.is_spawned && !model.was_killed, PoolInvariant::AddressesLive, || {
            format!("a second SIGKILL to {worker}")
        });
        model.was_killed = true;
        model.is_idle = false;
        self.schedule(exits_in, Happening::Worker(worker, exit));
    }
}
