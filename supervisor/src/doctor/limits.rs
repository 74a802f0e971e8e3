//! The limit on open files, against what a full pool needs; and the walls around the supervisor's secrets.

use muster_system::process::{Wall, descriptors_for};
use rustix::process::{Resource, getrlimit};

use super::finding::DoctorFinding;
use crate::service::pool_config;
use crate::settings::Settings;

/// What the finding is called: `limits` and `files` are walls around workers.
const CHECK: &str = "open-files";

pub(super) fn check(settings: &Settings) -> DoctorFinding {
    // The soft limit does not matter: a supervisor raises it to the hard one when it starts.
    let hard = getrlimit(Resource::Nofile).maximum;
    finding_for(settings.max_workers, pool_config(settings, None).max_processes(), hard)
}

/// This process has closed itself as a supervisor does, so what it sees of itself holds for one.
pub(super) fn judge_walls(walls: Vec<Wall>) -> impl Iterator<Item = DoctorFinding> {
    walls.into_iter().map(|wall| match (wall.stands, wall.name) {
        (true, name) => DoctorFinding::ok(name, wall.detail),
        (false, name) if !wall.asked => DoctorFinding::ok(name, format!("not asked for: {}", wall.detail)),
        (false, name) => {
            let fix = match name {
                "memory" | "cores" => "a worker's code could read the database's password and the token",
                _ => "`Confinement` in README.md says what each level keeps from whom",
            };
            DoctorFinding::warn(name, wall.detail, fix)
        }
    })
}

/// `processes` is the most there can be at once, with those that leave and those that replace them.
fn finding_for(workers: usize, processes: usize, hard: Option<u64>) -> DoctorFinding {
    let (least, most) = (descriptors_for(workers), descriptors_for(processes));
    let Some(hard) = hard else { return DoctorFinding::ok(CHECK, "open files: no limit") };
    let seen = format!("open files: {hard} allowed, up to {most} needed for {workers} workers");
    if hard >= most {
        return DoctorFinding::ok(CHECK, seen);
    }
    let fix = format!("set LimitNOFILE={most} in the unit (nofile in limits.conf), or lower max_workers");
    if hard < least { DoctorFinding::fail(CHECK, seen, fix) } else { DoctorFinding::warn(CHECK, seen, fix) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn the_pool_at_its_fullest_must_fit() {
        let verdict = |hard| finding_for(100, 202, hard).verdict;
        let (least, most) = (descriptors_for(100), descriptors_for(202));
        assert_eq!(verdict(None), Severity::Ok);
        assert_eq!(verdict(Some(most)), Severity::Ok);
        assert_eq!(verdict(Some(most - 1)), Severity::Warn, "tight only while workers are replaced");
        assert_eq!(verdict(Some(least)), Severity::Warn);
        assert_eq!(verdict(Some(least - 1)), Severity::Fail);
    }
}
