//! What people ask of the pool, at random.

use std::time::Duration;

use muster_core::execution::Attempt;
use muster_core::pool::{Assignment, PoolEvent, WorkerEvent, WorkerId};
use muster_protocol::CancelReason;
use uuid::Uuid;

use super::{Climate, Happening, ISOLATIONS, World};
use crate::simulator::{ms, pick};

impl World {
    pub(super) fn command(&mut self) {
        if self.commands_left == 0 {
            if self.is_bad_build {
                self.schedule(Duration::ZERO, Happening::Fixed);
            }
            return;
        }
        self.commands_left -= 1;
        let wait = if self.rng.bool() { ms(&mut self.rng, 0, 20) } else { ms(&mut self.rng, 0, 2_000) };
        self.schedule(wait, Happening::Command);
        let is_rough = self.climate == Climate::Rough;
        match self.rng.u8(0..40) {
            0..=23 => {
                for _ in 0..self.rng.usize(1..=4) {
                    self.submit();
                }
            }
            24..=28 if is_rough => self.cancel_one(),
            29 | 30 if is_rough => self.resize(),
            31 => {
                let worker = WorkerId(self.rng.u64(0..12));
                self.step(PoolEvent::Recycle(worker));
            }
            32 => self.step(PoolEvent::RecycleAll),
            33 | 34 => self.step(PoolEvent::Reload),
            35 if is_rough => {
                self.is_bad_build = true;
                let mended_in = ms(&mut self.rng, 10, 60_000);
                self.schedule(mended_in, Happening::Fixed);
            }
            36 if is_rough && self.rng.u8(..) < 30 => {
                self.is_draining = true;
                let grace = ms(&mut self.rng, 0, 5_000);
                self.step(PoolEvent::Drain { grace });
            }
            37 if is_rough && self.rng.u8(..) < 20 => {
                self.is_draining = true;
                self.step(PoolEvent::DrainNow);
            }
            38 if is_rough && self.rng.u8(..) < 20 => {
                self.is_draining = true;
                self.step(PoolEvent::Halt);
            }
            39 if is_rough => self.isolate(),
            _ => self.strangers(),
        }
    }

    /// Events about things that are gone or never were.
    fn strangers(&mut self) {
        let worker = WorkerId(90_000);
        self.step(PoolEvent::Worker { worker, event: WorkerEvent::Ready });
        let attempt = Attempt::new(Uuid::from_u128(u128::MAX), 1);
        self.step(PoolEvent::Cancel { attempt, reason: CancelReason::User, message: String::new() });
        self.step(PoolEvent::Recycle(worker));
    }

    fn submit(&mut self) {
        self.submitted += 1;
        let attempt = Attempt::new(Uuid::from_u128(self.submitted), self.rng.u32(1..4));
        let timeout = ms(&mut self.rng, 1, 3_000);
        // In a fair world nothing takes longer than three seconds, so no timeout may fire. In a rough one
        // some may take for ever: only the drain ends them.
        let timeout = match self.climate {
            Climate::Rough => Some(timeout).filter(|_| self.rng.u8(..) > 10),
            Climate::Fair => Some(Duration::from_secs(10)).filter(|_| self.rng.bool()),
        };
        let organization_id = Some(self.rng.u128(0..4)).filter(|id| *id > 0).map(Uuid::from_u128);
        let assignment = Assignment { attempt, organization_id, timeout, halts: self.is_batch };
        self.in_flight.submit(assignment, self.now);
        self.step(PoolEvent::Submit(assignment));
        if self.rng.u8(..) < 10 {
            // Delivered twice.
            if self.in_flight.open().contains(&attempt) {
                self.step(PoolEvent::Submit(assignment));
            }
        }
    }

    fn cancel_one(&mut self) {
        let open: Vec<Attempt> = self.in_flight.open().iter().copied().collect();
        if open.is_empty() {
            return;
        }
        let attempt = pick(&mut self.rng, &open);
        let reasons =
            [CancelReason::User, CancelReason::User, CancelReason::LeaseLost, CancelReason::Shutdown];
        let reason = pick(&mut self.rng, &reasons);
        self.in_flight.entry(attempt).asked.push(reason);
        self.step(PoolEvent::Cancel { attempt, reason, message: "because".to_owned() });
    }

    /// New settings for a pool that runs.
    fn isolate(&mut self) {
        self.config.isolation = pick(&mut self.rng, &ISOLATIONS);
        let isolation = self.config.isolation;
        self.note(|| format!("isolation = {isolation:?}"));
        self.workers.values_mut().for_each(|model| model.look_for_last_run(isolation));
        self.pool.set_config(self.now, self.config.clone(), &mut self.effects);
        self.after_step();
    }

    fn resize(&mut self) {
        let min_workers = self.rng.usize(0..=4);
        let max_workers = self.rng.usize(min_workers.max(1)..=8);
        self.config.min_workers = min_workers;
        self.config.max_workers = max_workers;
        self.step(PoolEvent::Resize { min_workers, max_workers });
    }
}
