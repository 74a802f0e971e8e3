//! The limit on open files, against what a full pool needs; and the walls around the supervisor's secrets.

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use crate::process::{Wall, descriptors_for};
use crate::service::pool_config;
use crate::settings::Settings;

pub(super) fn check(settings: &Settings) -> Finding {
    // The soft limit does not matter: a supervisor raises it to the hard one when it starts.
    let hard = getrlimit(Resource::Nofile).maximum;
    judge(settings.max_workers, pool_config(settings, None).max_processes(), hard)
}

/// This process has closed itself as a supervisor does, so what it sees of itself holds for one.
pub(super) fn judge_walls(walls: Vec<Wall>) -> impl Iterator<Item = Finding> {
    walls.into_iter().map(|wall| match (wall.stands, wall.name) {
        (true, name) => Finding::ok(name, wall.detail),
        (false, name) => Finding::warn(
            name,
            wall.detail,
            "a worker's code could read the database's password and the token",
        ),
    })
}

/// `processes` is the most there can be at once, with those that leave and those that replace them.
fn judge(workers: usize, processes: usize, hard: Option<u64>) -> Finding {
    let (least, most) = (descriptors_for(workers), descriptors_for(processes));
    let Some(hard) = hard else { return Finding::ok("limits", "open files: no limit") };
    let seen = format!("open files: {hard} allowed, up to {most} needed for {workers} workers");
    if hard >= most {
        return Finding::ok("limits", seen);
    }
    let mend = format!("set LimitNOFILE={most} in the unit (nofile in limits.conf), or lower max_workers");
    if hard < least { Finding::fail("limits", seen, mend) } else { Finding::warn("limits", seen, mend) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn the_pool_at_its_fullest_must_fit() {
        let verdict = |hard| judge(100, 202, hard).verdict;
        let (least, most) = (descriptors_for(100), descriptors_for(202));
        assert_eq!(verdict(None), Verdict::Ok);
        assert_eq!(verdict(Some(most)), Verdict::Ok);
        assert_eq!(verdict(Some(most - 1)), Verdict::Warn, "tight only while workers are replaced");
        assert_eq!(verdict(Some(least)), Verdict::Warn);
        assert_eq!(verdict(Some(least - 1)), Verdict::Fail);
    }
}
