//! How many file descriptors this process may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A worker costs its pidfd and three pipes.
pub const DESCRIPTORS_PER_WORKER: u64 = 4;
/// What everything else may need: databases, brokers, clients, files.
pub const DESCRIPTORS_ASIDE: u64 = 256;

/// Raises the soft limit to the hard one and gives it; `None` is no limit. Running out of descriptors after
/// a spawn would leak a living child, so this is done before the pool is sized.
pub fn raise_descriptor_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// How many a pool of so many processes needs.
pub fn descriptors_for(processes: usize) -> u64 {
    (processes as u64).saturating_mul(DESCRIPTORS_PER_WORKER).saturating_add(DESCRIPTORS_ASIDE)
}
