//! The limit on open files, against what a full pool needs.

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use crate::service::pool_config;
use crate::settings::Settings;

/// stdin, stdout, stderr and the pidfd.
const PER_WORKER: u64 = 4;
/// Everything else: connections to servers and clients, files, the runtimes.
const BESIDE_WORKERS: u64 = 128;

pub(super) fn check(settings: &Settings) -> Finding {
    let limit = getrlimit(Resource::Nofile);
    let config = pool_config(settings, None);
    judge(settings.max_workers, config.max_processes(), limit.current, limit.maximum)
}

/// `processes` is the most there can be at once, with those that leave and those that replace them.
fn judge(workers: usize, processes: usize, soft: Option<u64>, hard: Option<u64>) -> Finding {
    let needs = |workers: usize| {
        u64::try_from(workers).unwrap_or(u64::MAX).saturating_mul(PER_WORKER).saturating_add(BESIDE_WORKERS)
    };
    let (least, most) = (needs(workers), needs(processes));
    let Some(soft) = soft else { return Finding::ok("limits", "open files: no limit") };
    let seen = format!("open files: {soft} allowed, up to {most} needed for {workers} workers");
    if soft >= most {
        return Finding::ok("limits", seen);
    }
    let mend = match hard {
        Some(hard) if hard < most => {
            format!("set LimitNOFILE={most} in the unit, or nofile in limits.conf, or lower max_workers")
        }
        Some(_) | None => format!("run `ulimit -n {most}` before, or set LimitNOFILE={most} in the unit"),
    };
    if soft < least { Finding::fail("limits", seen, mend) } else { Finding::warn("limits", seen, mend) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn the_pool_at_its_fullest_must_fit() {
        let verdict = |soft| judge(100, 202, soft, Some(4096)).verdict;
        assert_eq!(verdict(None), Verdict::Ok);
        assert_eq!(verdict(Some(936)), Verdict::Ok);
        assert_eq!(verdict(Some(935)), Verdict::Warn, "tight only while workers are replaced");
        assert_eq!(verdict(Some(527)), Verdict::Fail);
    }

    #[test]
    fn the_mend_depends_on_who_may_raise_the_limit() {
        let mend = |hard| judge(100, 202, Some(256), hard).mend.unwrap();
        assert!(mend(Some(1024)).contains("ulimit -n 936"));
        assert!(mend(Some(512)).contains("lower max_workers"));
    }
}
