//! The worker: whether it starts, what it is, how long that takes.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use muster_core::pool::Isolation;
use muster_protocol::{feature, wire::Spelling};
use muster_system::temporary::TemporaryFolders;

use super::finding::DoctorFinding;
use super::handshake::{NotReady, ReadyWorker, greet};
use super::launcher;
use crate::service::worker_spec;
use crate::settings::{Settings, TemplatePolicy};

/// A person waits for the answer, whatever worker_start_seconds allows.
const READY_WITHIN_MAX: Duration = Duration::from_secs(120);

/// A start that takes no longer may come before every execution.
const QUICK_START: Duration = Duration::from_millis(50);

/// How long the worker may take to be Ready.
pub(super) fn ready_within(settings: &Settings) -> Duration {
    settings.worker_start.min(READY_WITHIN_MAX)
}

pub(super) async fn check(settings: &Settings) -> Vec<DoctorFinding> {
    let command = shell_words::join(&settings.worker_command);
    let limit = ready_within(settings);
    match worker_spec(settings) {
        Ok(mut spec) => {
            // A worker without one works; the supervisor's log says why there is none.
            if let Ok(folders) = TemporaryFolders::open() {
                spec.launch_in(&folders);
            }
            let greeted = greet(&spec, limit, settings.template == TemplatePolicy::Auto).await;
            let mut findings = vec![finding_for(&command, &spec.launch.program, limit, &greeted)];
            if let Ok(greeting) = greeted {
                findings.extend(launcher::check(&command, &spec, &greeting, limit).await);
                findings.extend(judge_template(&greeting));
                findings.extend(judge_isolation(settings.isolation, &greeting));
            }
            findings
        }
        Err(error) => vec![DoctorFinding::fail("worker", error.to_string(), "set worker_command")],
    }
}

/// Whether workers can be made of it, where it says that they can.
fn judge_template(greeting: &ReadyWorker) -> Option<DoctorFinding> {
    Some(match greeting.forked.as_ref()? {
        Ok(forked) => DoctorFinding::ok(
            "template",
            format!(
                "a worker is made of it in {} ms, where one that loads takes {} ms",
                forked.as_millis(),
                greeting.ready_after.as_millis()
            ),
        ),
        Err(problem) => {
            let fix = "do at the start of each worker what cannot be shared (`@on_worker_start`), or set template = \"off\"";
            DoctorFinding::warn(
                "template",
                format!("no worker can be made of it, each loads by itself: {problem}"),
                fix,
            )
        }
    })
}

/// What it costs that each execution has a process of its own.
fn judge_isolation(isolation: Isolation, greeting: &ReadyWorker) -> Option<DoctorFinding> {
    match isolation {
        Isolation::None | Isolation::Organization => return None,
        Isolation::Execution => {}
    }
    let start = match &greeting.forked {
        Some(Ok(forked)) => *forked,
        Some(Err(_)) | None => greeting.ready_after,
    };
    let start_ms = start.as_millis();
    let seen =
        format!("each execution has a process of its own, and a start takes {start_ms} ms of a processor");
    Some(if start <= QUICK_START {
        DoctorFinding::ok("isolation", seen)
    } else {
        let fix = "make the worker's start faster (fewer imports), or set isolation = \"organization\" if that is enough";
        DoctorFinding::warn("isolation", seen, fix)
    })
}

fn finding_for(
    command: &str,
    program: &Path,
    limit: Duration,
    greeted: &Result<ReadyWorker, NotReady>,
) -> DoctorFinding {
    match greeted {
        Ok(greeting) => judge_greeting(greeting, limit),
        Err(problem) => {
            DoctorFinding::fail("worker", format!("{command}: {problem}"), fix_for(problem, program))
        }
    }
}

fn judge_greeting(greeting: &ReadyWorker, limit: Duration) -> DoctorFinding {
    let seen = describe(greeting);
    if let Some(text) = &greeting.preamble {
        let fix = "print to stderr instead: stdout carries messages only";
        return DoctorFinding::warn("worker", format!("{seen}; it printed {text:?} before Hello"), fix);
    }
    if greeting.ready_after > limit / 2 {
        let fix = "make its start faster, or raise worker_start_seconds";
        return DoctorFinding::warn("worker", seen, fix);
    }
    if !greeting.left {
        let fix = "let it exit when its stdin ends: otherwise it outlives a supervisor that dies";
        return DoctorFinding::warn("worker", format!("{seen}; it stayed when its stdin ended"), fix);
    }
    if !greeting.features.iter().any(|offered| offered == feature::CANCEL) {
        let fix = "none is needed; with the feature `cancel` a cancelled run could clean up before SIGTERM";
        return DoctorFinding::ok("worker", format!("{seen}; {fix}"));
    }
    DoctorFinding::ok("worker", seen)
}

fn describe(greeting: &ReadyWorker) -> String {
    let ReadyWorker { implementation, implementation_version, language, features, workflows, .. } = greeting;
    let workflows = match workflows.len() {
        0 => "finds workflows by name".to_owned(),
        1 => "1 workflow".to_owned(),
        count => format!("{count} workflows"),
    };
    let spelling = match greeting.spelling {
        Spelling::Binary => "",
        Spelling::JsonLines => ", in JSON lines",
    };
    let features = if features.is_empty() { "no features".to_owned() } else { features.join(" ") };
    format!(
        "{implementation} {implementation_version} ({language}{spelling}), ready in {} ms, {workflows}, {features}",
        greeting.ready_after.as_millis()
    )
}

fn fix_for(problem: &NotReady, program: &Path) -> String {
    let program = program.display();
    match problem {
        NotReady::Spawn(error) if error.kind() == ErrorKind::NotFound => {
            format!("install {program} (and the interpreter in its first line), or set worker_command")
        }
        NotReady::Spawn(error) if error.kind() == ErrorKind::PermissionDenied => {
            format!("make {program} executable, or set worker_command")
        }
        NotReady::Spawn(_) => {
            format!("check that {program} can be executed here, and the limits on processes and memory")
        }
        NotReady::NoHello { .. } => {
            "make it say Hello first (is it a Muster worker, with MUSTER_PROTOCOL set?), or set worker_command"
                .to_owned()
        }
        NotReady::NoReady { .. } => {
            "make loading its workflows faster, or raise worker_start_seconds".to_owned()
        }
        NotReady::Version { .. } => "install a worker and a supervisor of the same release".to_owned(),
        NotReady::InitFailed(_) => {
            "correct the workflows; workers are not started until they load. What loads in your shell only lacks a \
             variable: workers get PATH, HOME, LANG, TZ and what worker_env names"
                .to_owned()
        }
        NotReady::Broken(error) if error.is_pollution() => {
            "print to stderr instead: stdout carries messages only".to_owned()
        }
        NotReady::Broken(_) | NotReady::Unexpected(_) => {
            "correct the worker: protocol/SPEC.md says what comes when".to_owned()
        }
        NotReady::Ended { .. } => {
            "run the command as it is run here to see why it ends: `env -i PATH=\"$PATH\" HOME=\"$HOME\" \
             MUSTER_PROTOCOL=1 COMMAND`. What works in your shell only lacks a variable: name it in worker_env"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_core::process::ExitStatus;

    use super::*;
    use crate::doctor::Severity;

    fn greeting() -> ReadyWorker {
        ReadyWorker {
            implementation: "muster-worker".to_owned(),
            implementation_version: "0.1.0".to_owned(),
            language: "javascript".to_owned(),
            features: vec!["log".to_owned(), "cancel".to_owned()],
            workflows: Vec::new(),
            spelling: Spelling::Binary,
            ready_after: Duration::from_millis(12),
            preamble: None,
            forked: None,
            left: true,
            program: None,
            is_behind: false,
        }
    }

    #[test]
    fn a_worker_that_is_ready_says_what_it_is() {
        let finding = judge_greeting(&greeting(), Duration::from_secs(60));
        let seen = "muster-worker 0.1.0 (javascript), ready in 12 ms, finds workflows by name, log cancel";
        assert_eq!(finding, DoctorFinding::ok("worker", seen));
    }

    #[test]
    fn what_could_be_better_is_a_warning() {
        let limit = Duration::from_secs(60);
        for odd in [
            ReadyWorker { preamble: Some("hi".to_owned()), ..greeting() },
            ReadyWorker { ready_after: Duration::from_secs(31), ..greeting() },
            ReadyWorker { left: false, ..greeting() },
        ] {
            assert_eq!(judge_greeting(&odd, limit).verdict, Severity::Warn, "{odd:?}");
        }
    }

    #[test]
    fn a_process_for_each_execution_costs_a_start() {
        let verdict = |isolation, milliseconds| {
            let ready_after = Duration::from_millis(milliseconds);
            let finding = judge_isolation(isolation, &ReadyWorker { ready_after, ..greeting() });
            finding.map(|finding| finding.verdict)
        };
        assert_eq!(verdict(Isolation::None, 400), None);
        assert_eq!(verdict(Isolation::Organization, 400), None);
        assert_eq!(verdict(Isolation::Execution, 12), Some(Severity::Ok));
        assert_eq!(verdict(Isolation::Execution, 400), Some(Severity::Warn));
    }

    #[test]
    fn a_template_says_what_a_worker_of_it_costs_or_why_there_is_none() {
        let of = |forked| ReadyWorker { ready_after: Duration::from_millis(700), forked, ..greeting() };
        assert_eq!(judge_template(&of(None)), None);
        let good = of(Some(Ok(Duration::from_millis(6))));
        let seen = "a worker is made of it in 6 ms, where one that loads takes 700 ms";
        assert_eq!(judge_template(&good), Some(DoctorFinding::ok("template", seen)));
        let isolated = judge_isolation(Isolation::Execution, &good).map(|finding| finding.verdict);
        assert_eq!(isolated, Some(Severity::Ok), "its start is the fork");
        let bad = judge_template(&of(Some(Err("2 threads: poller".to_owned())))).unwrap();
        assert!(bad.verdict == Severity::Warn && bad.seen.contains("poller"), "{bad}");
    }

    #[test]
    fn a_worker_that_does_not_start_fails_with_a_mend() {
        let ended = NotReady::Ended { status: ExitStatus::Code(1), stderr: "No module named x".to_owned() };
        let finding = finding_for("python3 -m x", Path::new("/usr/bin/python3"), Duration::ZERO, &Err(ended));
        assert_eq!(finding.verdict, Severity::Fail);
        assert!(finding.seen.contains("No module named x"), "{finding}");
        let missing = NotReady::Spawn(std::io::Error::from(ErrorKind::NotFound));
        assert!(fix_for(&missing, Path::new("/no/worker")).contains("install /no/worker"));
    }
}
