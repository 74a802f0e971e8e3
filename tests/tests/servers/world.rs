//! Backends of a test's own on real servers, with everything that looks at them from outside.

use std::time::Duration;

use muster_tests::{Backends, Cache, Installation, Record, Services, TestQueue, TestSupervisor, eventually};

/// How long something may take that takes moments on an idle machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

const ECHO: &str = "export default async (params) => params;\n";
const SLEEP: &str =
    "export default async (params, ctx) => { await ctx.sleep(params.ms); return 'slept'; };\n";
/// Hangs in its first attempt, whoever loses it, and returns in every later one.
const SECOND: &str = "export default async (params, ctx) => {
  ctx.log.info(`attempt ${ctx.attempt}`);
  if (ctx.attempt === 1) await ctx.sleep(params.ms ?? 1e9);
  return ctx.attempt;
};\n";
const CHATTY: &str = "export default async (params, ctx) => {
  for (let i = 0; i < params.count; i++) ctx.log.info(`line ${i}`, { number: i });
  if (params.write) await ctx.state.set(params.write, ctx.executionId);
  if (params.then === 'throw') throw new RangeError('after all that');
  if (params.then === 'hang') await ctx.sleep(1e9);
  return { lines: params.count };
};\n";

/// Who looks on from outside.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) backends: Backends,
    pub(crate) record: Record,
    pub(crate) queue: TestQueue,
    pub(crate) cache: Cache,
    pub(crate) services: Services,
}

impl World {
    /// On the servers that all tests share.
    #[track_caller]
    pub(crate) fn shared() -> Self {
        Self::on(Services::shared())
    }

    /// On these servers.
    #[track_caller]
    pub(crate) fn on(services: Services) -> Self {
        let backends = services.fresh();
        Self {
            record: Record::of(&backends),
            queue: TestQueue::of(&backends),
            cache: Cache::of(&backends),
            backends,
            services,
        }
    }

    /// A place for a supervisor, with the workflows of these suites. Several may share the backends.
    pub(crate) fn installation(&self) -> Installation {
        Installation::new()
            .backends(&self.backends)
            .setting("worker_env", "MUSTER_CONFORMANCE=1")
            .workflow("echo.js", ECHO)
            .workflow("sleep.js", SLEEP)
            .workflow("second.js", SECOND)
            .workflow("chatty.js", CHATTY)
    }

    /// Lets the supervisor leave, and checks what must hold after any test: every execution has ended exactly
    /// once, no message is left, every key will go, no process is left.
    #[track_caller]
    pub(crate) fn assert_clean(&mut self, supervisor: TestSupervisor, installation: &Installation) {
        eventually("all ends are announced", SOON, || {
            self.record.count("executions WHERE notified_at IS NULL") == 0
        });
        assert!(supervisor.terminate(SOON).success());
        self.record.assert_all_ended_once();
        self.queue.has_depth(0, SOON);
        assert_eq!(self.cache.keys_without_expiry(), Vec::<String>::new());
        installation.assert_nothing_left();
    }
}

/// The settings of workers that do not start before [`open_gate`]: whatever is claimed meanwhile waits.
pub(crate) fn behind_gate(installation: Installation) -> Installation {
    let worker = muster_tests::binaries::worker();
    let wait = format!("until [ -e gate ]; do sleep 0.02; done; exec '{}'", worker.display());
    installation.worker(["/bin/sh", "-c", &wait])
}

/// Lets workers start.
#[track_caller]
pub(crate) fn open_gate(installation: &Installation) {
    std::fs::write(installation.path("gate"), "").unwrap();
}
