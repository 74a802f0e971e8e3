//! What a launcher costs: the time to Ready through `worker_command`, beside that of the worker that it starts.

use std::sync::Arc;
use std::time::Duration;

use muster_protocol::TEMPLATE_FD_ENV;

use super::finding::DoctorFinding;
use super::handshake::{NotReady, ReadyWorker, greet};
use crate::executor::WorkerSpec;

/// Variables that each process has of its own.
const OWN_VARIABLES: [&str; 3] = ["TMPDIR", "MUSTER_LOADING_DIR", TEMPLATE_FD_ENV];
/// A launcher that takes longer is one to think about.
const WORTH_A_WARNING: Duration = Duration::from_millis(100);

/// A worker that was started through a launcher, and both ways once more, now that their files are in memory.
#[derive(Debug)]
struct LauncherCost {
    /// The worker itself, as it was started.
    worker: String,
    through: Duration,
    alone: Duration,
    /// The launcher stays beside it.
    stays: bool,
}

/// Says what the launcher costs, where there is one.
pub(super) async fn check(
    command: &str,
    spec: &WorkerSpec,
    greeting: &ReadyWorker,
    limit: Duration,
) -> Option<DoctorFinding> {
    let program = greeting.program.as_ref().filter(|program| !program.is_started_by(&spec.launch))?;
    let launch = Arc::new(program.launch_like(&spec.launch, &OWN_VARIABLES));
    let alone = greet(&WorkerSpec { launch, ..spec.clone() }, limit, false).await;
    let through = greet(spec, limit, false).await;
    let cost = alone.and_then(|alone| Ok((alone.ready_after, through?.ready_after)));
    let cost = cost.map(|(alone, through)| LauncherCost {
        worker: program.command(),
        through,
        alone,
        stays: greeting.is_behind,
    });
    Some(judge(command, cost))
}

fn judge(command: &str, cost: Result<LauncherCost, NotReady>) -> DoctorFinding {
    const CHECK: &str = "launcher";
    let LauncherCost { worker, through, alone, stays } = match cost {
        Ok(cost) => cost,
        Err(problem) => {
            let seen = format!(
                "{command}: what it costs is not known, the worker behind it does not start alone: {problem}"
            );
            return DoctorFinding::ok(CHECK, seen);
        }
    };
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let more = through.saturating_sub(alone);
    let beside = if stays { ", and a process more for each worker" } else { "" };
    let seen = format!(
        "{command}: {:.1} ms to Ready, where the worker itself ({worker}) takes {:.1} ms: {:.1} ms more for each start{beside}",
        ms(through),
        ms(alone),
        ms(more)
    );
    if more > WORTH_A_WARNING {
        return DoctorFinding::warn(
            CHECK,
            seen,
            "name the worker itself in worker_command, with its variables in worker_env",
        );
    }
    DoctorFinding::ok(CHECK, seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn a_launcher_says_what_it_adds_and_a_slow_one_is_a_warning() {
        let judged = |through, stays| {
            let (worker, alone) = ("python3 -m muster_worker".to_owned(), Duration::from_millis(80));
            judge(
                "npm run worker",
                Ok(LauncherCost { worker, through: Duration::from_millis(through), alone, stays }),
            )
        };
        let quick = judged(82, false);
        assert_eq!(quick.verdict, Severity::Ok);
        assert!(quick.seen.contains("takes 80.0 ms: 2.0 ms more for each start"), "{quick}");
        let slow = judged(580, true);
        assert_eq!(slow.verdict, Severity::Warn);
        assert!(slow.seen.ends_with("and a process more for each worker"), "{slow}");
        assert_eq!(judged(70, false).verdict, Severity::Ok);
        let unknown = judge("x", Err(NotReady::NoHello { stderr: String::new() }));
        assert_eq!(unknown.verdict, Severity::Ok);
    }
}
