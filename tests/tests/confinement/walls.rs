//! What the supervisor says of its walls, and what passes through them as it did before.

use muster_system::confinement::KernelFacts;
use muster_tests::Installation;
use serde_json::{Value, json};

use crate::world::{SOON, StartedBy, start};

const ECHO: &str = "export default async function (params) { return params; }";

fn works(supervisor: &muster_tests::TestSupervisor) {
    let client = supervisor.client();
    let id = client.submit(&json!({ "workflow": "echo", "parameters": { "a": 1 } }));
    let row = client.finished(&id, SOON);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!({ "a": 1 })), "{row}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_wall_says_whether_it_stands_in_the_log_the_status_and_the_doctor() {
    for level in ["off", "scoped", "strict"] {
        let abi = KernelFacts::read().landlock_abi;
        if level == "strict" && abi < 6 {
            continue;
        }
        let installation = Installation::new()
            .workflow("echo.js", ECHO)
            .setting("confinement", level)
            .setting("log_level", "info");
        let supervisor = start(&installation, StartedBy::OrdinaryUser);
        works(&supervisor);
        let pool = supervisor.client().get("/api/pool").body;
        let walls: Vec<&Value> = pool["walls"].as_array().unwrap().iter().collect();
        let find = |name: &str| walls.iter().find(|wall| wall["wall"] == name).copied();
        let processes = find("processes").unwrap();
        assert_eq!(processes["stands"], level != "off" && abi >= 2, "{level}: {pool}");
        if level != "off" {
            assert_eq!(find("signals").unwrap()["stands"], abi >= 6, "{pool}");
            let files = find("files").unwrap();
            assert_eq!(
                (&files["stands"], &files["asked"]),
                (&json!(level == "strict"), &json!(level == "strict"))
            );
        }
        let log = supervisor.log();
        let status = text(&installation.run(&["status"]).stdout);
        let doctor = installation.run(&["doctor"]);
        let doctor = text(&doctor.stdout) + &text(&doctor.stderr);
        for wall in walls {
            let detail = wall["detail"].as_str().unwrap();
            assert!(log.contains(detail), "{level}: {detail}\n{log}");
            assert!(status.contains(detail), "{level}: {detail}\n{status}");
        }
        assert!(doctor.contains("processes"), "{doctor}");
    }
}

#[test]
fn a_strict_supervisor_on_a_kernel_without_the_walls_says_so_and_does_not_start() {
    let abi = KernelFacts::read().landlock_abi;
    let installation = Installation::new().workflow("echo.js", ECHO).setting("confinement", "strict");
    if abi >= 6 {
        works(&start(&installation, StartedBy::OrdinaryUser));
        return;
    }
    let output = installation.run(&["run"]);
    let said = text(&output.stderr) + &text(&output.stdout);
    assert!(!output.status.success() && said.contains("Linux 6.12"), "{said}");
}

#[test]
fn a_command_through_a_shell_is_confined_and_one_that_is_nowhere_says_so() {
    let worker = muster_tests::binaries::worker();
    let script = format!("read_me=1; exec {}", worker.display());
    for level in ["scoped", "strict"] {
        let installation = Installation::new()
            .workflow("echo.js", ECHO)
            .worker(["sh", "-c", &script])
            .setting("worker_paths_ro", worker.display())
            .setting("confinement", level);
        let supervisor = installation.start();
        works(&supervisor);
        let pid = supervisor.workers()[0];
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_ascii_whitespace().nth(1).unwrap().to_owned()
        };
        assert_eq!((field("NoNewPrivs:"), field("CapEff:")), ("1".to_owned(), "0".repeat(16)), "{status}");
        assert_eq!(field("Seccomp:"), if level == "strict" { "2" } else { "0" }, "{status}");
    }
    let nowhere = Installation::new().worker(["/no/such/worker"]);
    let supervisor = nowhere.spawn();
    muster_tests::eventually("it says what is missing", SOON, || {
        supervisor.log().contains("cannot start /no/such/worker")
    });
}

#[test]
fn a_command_that_changes_its_user_is_doubted() {
    let worker = muster_tests::binaries::worker().display().to_string();
    let installation = Installation::new().worker(["setpriv", "--nnp", &worker]).setting("log_level", "info");
    let supervisor = installation.start();
    assert!(supervisor.log().contains("set worker_user instead"), "{}", supervisor.log());
}

#[test]
fn root_without_worker_user_is_warned() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root is warned");
        return;
    }
    let installation = Installation::new().workflow("echo.js", ECHO).setting("log_level", "info");
    let supervisor = start(&installation, StartedBy::Root);
    let log = supervisor.log();
    let warned = log.lines().any(|line| line.contains("WARN") && line.contains("workers run as root"));
    assert!(warned, "{log}");
}
