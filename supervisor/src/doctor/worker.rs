//! The worker: whether it starts, what it is, how long that takes.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use muster_protocol::{feature, wire::Spelling};

use super::finding::Finding;
use super::handshake::{Greeting, NotReady, greet};
use crate::service::gear;
use crate::settings::Settings;

/// A person waits for the answer, whatever worker_start_seconds allows.
const READY_WITHIN_MAX: Duration = Duration::from_secs(120);

/// How long the worker may take to be Ready.
pub(super) fn ready_within(settings: &Settings) -> Duration {
    settings.worker_start.min(READY_WITHIN_MAX)
}

pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let command = shell_words::join(&settings.worker_command);
    let limit = ready_within(settings);
    vec![match gear(settings) {
        Ok(gear) => {
            let greeted = greet(&gear, limit).await;
            judge(&command, &gear.launch.program, limit, &greeted)
        }
        Err(error) => Finding::fail("worker", error.to_string(), "set worker_command"),
    }]
}

fn judge(command: &str, program: &Path, limit: Duration, greeted: &Result<Greeting, NotReady>) -> Finding {
    match greeted {
        Ok(greeting) => judge_greeting(greeting, limit),
        Err(problem) => Finding::fail("worker", format!("{command}: {problem}"), mend(problem, program)),
    }
}

fn judge_greeting(greeting: &Greeting, limit: Duration) -> Finding {
    let seen = describe(greeting);
    if let Some(text) = &greeting.preamble {
        let mend = "print to stderr instead: stdout carries messages only";
        return Finding::warn("worker", format!("{seen}; it printed {text:?} before Hello"), mend);
    }
    if greeting.ready_after > limit / 2 {
        let mend = "make its start faster, or raise worker_start_seconds";
        return Finding::warn("worker", seen, mend);
    }
    if !greeting.left {
        let mend = "let it exit when its stdin ends: otherwise it outlives a supervisor that dies";
        return Finding::warn("worker", format!("{seen}; it stayed when its stdin ended"), mend);
    }
    if !greeting.features.iter().any(|offered| offered == feature::CANCEL) {
        let mend = "none is needed; with the feature `cancel` a cancelled run could clean up before SIGTERM";
        return Finding::ok("worker", format!("{seen}; {mend}"));
    }
    Finding::ok("worker", seen)
}

fn describe(greeting: &Greeting) -> String {
    let Greeting { implementation, implementation_version, language, features, workflows, .. } = greeting;
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

fn mend(problem: &NotReady, program: &Path) -> String {
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
        NotReady::InitFailed(_) => "correct the workflows; workers are not started until they load".to_owned(),
        NotReady::Broken(error) if error.is_pollution() => {
            "print to stderr instead: stdout carries messages only".to_owned()
        }
        NotReady::Broken(_) | NotReady::Unexpected(_) => {
            "correct the worker: protocol/SPEC.md says what comes when".to_owned()
        }
        NotReady::Ended { .. } => {
            "run the command by hand with MUSTER_PROTOCOL=1 to see why it ends, or set worker_command".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;
    use crate::pool::ExitStatus;

    fn greeting() -> Greeting {
        Greeting {
            implementation: "muster-worker".to_owned(),
            implementation_version: "0.1.0".to_owned(),
            language: "javascript".to_owned(),
            features: vec!["log".to_owned(), "cancel".to_owned()],
            workflows: Vec::new(),
            spelling: Spelling::Binary,
            ready_after: Duration::from_millis(12),
            preamble: None,
            left: true,
        }
    }

    #[test]
    fn a_worker_that_is_ready_says_what_it_is() {
        let finding = judge_greeting(&greeting(), Duration::from_secs(60));
        let seen = "muster-worker 0.1.0 (javascript), ready in 12 ms, finds workflows by name, log cancel";
        assert_eq!(finding, Finding::ok("worker", seen));
    }

    #[test]
    fn what_could_be_better_is_a_warning() {
        let limit = Duration::from_secs(60);
        for odd in [
            Greeting { preamble: Some("hi".to_owned()), ..greeting() },
            Greeting { ready_after: Duration::from_secs(31), ..greeting() },
            Greeting { left: false, ..greeting() },
        ] {
            assert_eq!(judge_greeting(&odd, limit).verdict, Verdict::Warn, "{odd:?}");
        }
    }

    #[test]
    fn a_worker_that_does_not_start_fails_with_a_mend() {
        let ended = NotReady::Ended { status: ExitStatus::Code(1), stderr: "No module named x".to_owned() };
        let finding = judge("python3 -m x", Path::new("/usr/bin/python3"), Duration::ZERO, &Err(ended));
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(finding.seen.contains("No module named x"), "{finding}");
        let missing = NotReady::Spawn(std::io::Error::from(ErrorKind::NotFound));
        assert!(mend(&missing, Path::new("/no/worker")).contains("install /no/worker"));
    }
}
