//! The numbers the pool works with: settings a person may choose, and constants that belong to the protocol.

use std::time::Duration;

use super::isolation::Isolation;

/// How long a process may take from its spawn to its Hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a worker may take from Execute to Started.
pub const STARTED_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a worker may take from Finished to Idle.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long before SIGTERM a worker is asked what it is doing.
pub const DUMP_LEAD: Duration = Duration::from_millis(100);
/// The most a worker gets between a Cancel frame and SIGTERM.
pub const CANCEL_GRACE_MAX: Duration = Duration::from_secs(1);
/// The wait after the first failed start. It doubles with each further one, up to [`BACKOFF_MAX`].
pub const BACKOFF_BASE: Duration = Duration::from_millis(200);
/// The longest wait between two starts: a fixed worker is found within seconds.
pub const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// An attempt whose workers died so often before they said Started fails: it may well be the reason.
pub const DEATHS_BEFORE_STARTED_MAX: u8 = 3;
/// A worker's own clock for a run starts a moment before ours (it writes Started before we read it). When
/// it gives up by itself this close to our deadline, or within a tenth of the timeout, that is the timeout.
pub const DEADLINE_TOLERANCE: Duration = Duration::from_millis(50);
/// A process is replaced long before its run numbers, which are never reused, could wrap.
pub const RUNS_PER_PROCESS_MAX: u32 = 4_000_000_000;
/// A run whose worker, with all it started, is above this many hundredths of the memory limit is killed.
pub const MEMORY_KILL_PERCENT: u64 = 150;

/// A worker that is bound to an organization serves it for so many times as long as it took to start, before it
/// gives way to another organization while its own has work. So changing over takes at most a fifth of its time.
pub const STARTS_BEFORE_GIVING_WAY: u32 = 4;

/// A template that was asked for a worker has made it within this.
pub const FORK_TIMEOUT: Duration = Duration::from_secs(5);
/// So many workers a template is asked for at once. It makes one after the other.
pub const FORKS_AT_ONCE: usize = 4;
/// The wait after a template that failed. It doubles with each further one, up to [`TEMPLATE_BACKOFF_MAX`]: what
/// a template could not load or lose it will rarely do the next time, and each try costs as much as a start.
pub const TEMPLATE_BACKOFF_BASE: Duration = Duration::from_secs(1);
/// The longest wait between two templates.
pub const TEMPLATE_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// So many templates are alive at once: the one that serves, the next one, that of a reload, and those that leave.
const TEMPLATES_MAX: usize = 4;

/// What a person may choose about the pool. Zero means "never" or "none" where a field says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Workers kept warm, also when there is nothing to do.
    pub min_workers: usize,
    /// The most executions that run at once, and the most workers that serve (see `LIFECYCLE.md`). At least 1.
    pub max_workers: usize,
    /// Which executions may share a worker.
    pub isolation: Isolation,
    /// A generation has a template, if its workers can be made of one.
    pub template: bool,
    /// SIGTERM to SIGKILL; also how long a retired worker may take to leave before SIGTERM.
    pub graceful_shutdown: Duration,
    /// Replace a worker after so many executions, jittered upward by up to 10 %; 0 is never.
    pub recycle_after_executions: u32,
    /// Replace a worker this long after it became Ready; zero is never.
    pub recycle_after: Duration,
    /// Above it when an execution ends a worker is replaced, above 1.5 times while it runs it is killed; 0 is none.
    pub memory_limit_bytes: u64,
    /// Retire a worker above `min_workers` that had nothing to do for so long.
    pub worker_idle: Duration,
    /// How long a process may take from its spawn to Ready.
    pub worker_start: Duration,
    /// Start another worker when the oldest waiting execution has waited so long for one.
    pub scale_up_wait: Duration,
    /// Fail what waits after so many failed starts in a row with no worker left. `None` never gives up.
    pub give_up_after_start_failures: Option<u32>,
    /// Where the jitter of recycling and of backoff comes from: the core draws no randomness of its own.
    pub jitter_seed: u64,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            min_workers: 2,
            max_workers: 10,
            isolation: Isolation::None,
            template: false,
            graceful_shutdown: Duration::from_secs(5),
            recycle_after_executions: 0,
            recycle_after: Duration::ZERO,
            memory_limit_bytes: 0,
            worker_idle: Duration::from_secs(60),
            worker_start: Duration::from_secs(60),
            scale_up_wait: Duration::from_millis(20),
            give_up_after_start_failures: None,
            jitter_seed: 0,
        }
    }
}

impl PoolConfig {
    /// From a Cancel frame to SIGTERM.
    pub fn cancel_grace(&self) -> Duration {
        CANCEL_GRACE_MAX.min(self.graceful_shutdown / 2)
    }

    /// The most processes that can be alive at once: those that serve, one replacement, one canary of a
    /// reload, and as many that were told to leave and have not yet gone, or are at their only run; and templates. The shell
    /// budgets descriptors by it.
    pub fn max_processes(&self) -> usize {
        let templates = if self.template { TEMPLATES_MAX } else { 0 };
        self.max_workers.saturating_mul(2).saturating_add(2 + templates)
    }

    /// How many executions worker number `worker` may do, or the end of its run numbers.
    pub(super) fn execution_limit(&self, worker: u64) -> u32 {
        if self.recycle_after_executions == 0 {
            return RUNS_PER_PROCESS_MAX;
        }
        let limit = u64::from(self.recycle_after_executions);
        let jittered = limit + hash(self.jitter_seed, worker) % (limit / 10 + 1);
        u32::try_from(jittered).unwrap_or(RUNS_PER_PROCESS_MAX).min(RUNS_PER_PROCESS_MAX)
    }

    /// What a worker with all it started may hold before its run is ended, if there is a limit.
    pub fn memory_kill_bytes(&self) -> Option<u64> {
        (self.memory_limit_bytes > 0)
            .then(|| self.memory_limit_bytes.saturating_mul(MEMORY_KILL_PERCENT) / 100)
    }

    /// True when `rss_bytes` is above the limit at which a worker is replaced.
    pub(super) fn is_above_memory_limit(&self, rss_bytes: u64) -> bool {
        self.memory_limit_bytes > 0 && rss_bytes > self.memory_limit_bytes
    }
}

/// A well-mixed number for `worker`: SplitMix64 over the seed and the worker's number.
pub(super) fn hash(seed: u64, worker: u64) -> u64 {
    let mut mixed = seed.wrapping_add(worker.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
