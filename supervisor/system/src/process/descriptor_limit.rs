//! How many file descriptors this process may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A worker costs its pidfd, three pipes, and its temporary folder.
pub const DESCRIPTORS_PER_WORKER: u64 = 5;
/// What everything else may need: databases, brokers, clients, files.
pub const DESCRIPTORS_ASIDE: u64 = 256;

/// The most clients of the HTTP interface at once; without a limit on descriptors their memory is one.
const CONNECTIONS_MAX: usize = 512;
/// Fewer would be of no use.
const CONNECTIONS_MIN: usize = 16;

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

/// How many clients the HTTP interface may have at once, so that a pool that needs so many descriptors keeps them.
/// Half of what is set aside is for clients anyway.
pub fn connections_within(limit: Option<u64>, needed: u64) -> usize {
    let room = limit.map_or(u64::MAX, |limit| (limit + DESCRIPTORS_ASIDE / 2).saturating_sub(needed));
    usize::try_from(room).unwrap_or(CONNECTIONS_MAX).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}

/// How many a pool of so many processes needs.
pub fn descriptors_for(processes: usize) -> u64 {
    (processes as u64).saturating_mul(DESCRIPTORS_PER_WORKER).saturating_add(DESCRIPTORS_ASIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_workers_do_not_need() {
        let needed = descriptors_for(22);
        assert_eq!(connections_within(None, needed), CONNECTIONS_MAX);
        assert_eq!(connections_within(Some(1_048_576), needed), CONNECTIONS_MAX);
        assert_eq!(connections_within(Some(needed + 72), needed), 200);
        assert_eq!(connections_within(Some(needed - 64), needed), 64);
        assert_eq!(connections_within(Some(80), needed), CONNECTIONS_MIN);
    }
}
