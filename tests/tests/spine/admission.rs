//! What workers and other users must not reach: the supervisor's memory, environment, descriptors and files.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use muster_tests::{Installation, binaries, eventually, process};
use serde_json::json;

use crate::workflows::{self, ECHO};

const SOON: Duration = Duration::from_secs(20);
/// `nobody`, on every Linux.
const ORDINARY_USER: u32 = 65534;

/// Who starts a process as an ordinary user: nobody has to, when that is who runs the tests.
fn as_ordinary_user() -> Vec<String> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let (user, group) = (format!("--reuid={ORDINARY_USER}"), format!("--regid={ORDINARY_USER}"));
    ["setpriv", &user, &group, "--clear-groups"].map(str::to_owned).to_vec()
}

/// Runs a shell command as that user and gives what it says on both streams.
#[expect(clippy::disallowed_methods, reason = "the test is the stranger who tries to look in")]
fn shell_of_ordinary_user(command: &str) -> String {
    let mut words = as_ordinary_user();
    words.extend(["sh", "-c", command].map(str::to_owned));
    let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Gives the folder of an installation to that user.
fn hand_over(installation: &Installation) {
    if rustix::process::geteuid().is_root() {
        for path in [installation.folder().to_owned(), installation.path("workflows")] {
            std::os::unix::fs::chown(path, Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
        }
    }
}

#[test]
fn a_process_of_the_same_user_reads_nothing_of_the_supervisor_and_all_works_as_before() {
    let installation = Installation::new().workflow("echo.js", ECHO).setting("log_level", "info");
    hand_over(&installation);
    let words = as_ordinary_user();
    let supervisor = installation.spawn_under(&words.iter().map(String::as_str).collect::<Vec<_>>());
    supervisor.wait_ready(SOON);
    let client = supervisor.client();

    let id = client.submit(&json!({ "workflow": "echo", "parameters": { "a": 1 } }));
    assert_eq!(client.finished(&id, SOON)["status"], "SUCCESS");
    let pool = client.get("/api/pool").body;
    let walls = pool["walls"].as_array().unwrap();
    // An ordinary user cannot keep a worker from lowering its score, and the kernel may lack what else is asked for.
    let stands = |name: &str| walls.iter().any(|wall| wall["wall"] == name && wall["stands"] == true);
    for name in ["memory", "cores", "privileges", "temporary"] {
        assert!(stands(name), "{name}: {pool}");
    }
    // It is measured when a worker has run something.
    let measured =
        |worker: &serde_json::Value| worker["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1024 * 1024);
    eventually("the memory of the worker that ran is seen", SOON, || {
        client.get("/api/pool").body["workers"].as_array().unwrap().iter().any(measured)
    });
    assert!(supervisor.log().contains("closed to its workers"), "{}", supervisor.log());

    for file in ["environ", "mem", "maps", "auxv", "stack"] {
        let said = shell_of_ordinary_user(&format!("cat /proc/{}/{file}", supervisor.id()));
        assert!(said.contains("Permission denied"), "{file}: {said}");
    }
    for folder in ["fd", "fdinfo", "cwd"] {
        let said = shell_of_ordinary_user(&format!("ls /proc/{}/{folder}/", supervisor.id()));
        assert!(said.contains("Permission denied"), "{folder}: {said}");
    }
    // A worker is open to whoever looks after it, is the first to be taken when memory runs out, and leaves no core.
    let worker = supervisor.workers()[0];
    let ours: i32 = fs::read_to_string(format!("/proc/{}/oom_score_adj", supervisor.id()))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let score = (ours + 500).min(1000).to_string();
    let said = shell_of_ordinary_user(&format!(
        "cat /proc/{worker}/environ; echo; cat /proc/{worker}/oom_score_adj"
    ));
    assert!(said.contains("PATH=") && said.lines().last() == Some(&score), "{said}");
    for process in [worker, supervisor.id()] {
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(line.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{line}");
    }
    assert!(supervisor.terminate(SOON).success());
}

#[test]
fn a_data_folder_that_was_open_is_shut_with_all_that_is_in_it_and_workers_keep_their_umask() {
    let installation = workflows::installed();
    // The worker's own shell tells its umask before it becomes a worker.
    let worker = shell_words::quote(&binaries::worker().to_string_lossy()).into_owned();
    let note = installation.path("umask");
    let script = format!("umask > {}; exec {worker}", shell_words::quote(&note.to_string_lossy()));
    let installation = installation.worker(["sh", "-c", &script]).setting("transcripts", "all");
    let data = installation.path("data");
    fs::create_dir_all(data.join("transcripts")).unwrap();
    for (path, mode) in [("", 0o755), ("transcripts", 0o755)] {
        fs::set_permissions(data.join(path), Permissions::from_mode(mode)).unwrap();
    }
    for file in ["lock", "muster.db", "worker-groups", "transcripts/old.jsonl"] {
        fs::write(data.join(file), "").unwrap();
        fs::set_permissions(data.join(file), Permissions::from_mode(0o644)).unwrap();
    }
    let ours = fs::read_to_string("/proc/self/status").unwrap();
    let ours = ours.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap().trim().to_owned();

    let supervisor = installation.start();
    let client = supervisor.client();
    let id = client.submit(&json!({ "workflow": "throw" }));
    assert_eq!(client.finished(&id, SOON)["status"], "FAILED");
    let found = files_below(&data);
    for path in &found {
        let mode = path.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    for name in ["muster.db", "muster.db-wal", "outbox", "lock", "worker-groups"] {
        assert!(found.contains(&data.join(name)), "{name} is not in {found:?}");
    }
    assert!(found.iter().any(|path| path.to_string_lossy().contains(&id)), "no transcript in {found:?}");
    assert!(supervisor.log().contains("others could read data_dir"), "{}", supervisor.log());
    assert_eq!(fs::read_to_string(note).unwrap().trim(), ours);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_data_folder_that_others_share_is_refused_and_left_alone() {
    let installation = workflows::installed();
    let data = installation.path("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o1777)).unwrap();
    let mut supervisor = installation.spawn();
    let status = supervisor.wait_exit(SOON);
    let text = supervisor.log();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("shared with other users") && text.contains("choose a folder below it"), "{text}");
    assert_eq!(data.metadata().unwrap().mode() & 0o7777, 0o1777);
    assert!(fs::read_dir(&data).unwrap().next().is_none());
    assert!(process::in_folder(installation.folder()).is_empty());
}

/// More than a supervisor of this test takes.
const SILENT: usize = 400;

/// What health answers on a connection of its own, and how long it took.
fn health(address: &str) -> Option<(String, Duration)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some((answer, begun.elapsed()))
}

#[test]
fn silent_connections_stop_neither_health_nor_the_api_nor_the_start_of_workers() {
    let installation = workflows::installed();
    let supervisor = installation.spawn_under(&["prlimit", "--nofile=320:320"]);
    supervisor.wait_ready(SOON);
    let address = installation.url().trim_start_matches("http://").to_owned();
    let silent: Vec<_> = (0..SILENT).map(|_| TcpStream::connect(&address).unwrap()).collect();
    // One that sends the head of a request and of its body only the beginning.
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"POST /api/executions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
        .unwrap();

    for _ in 0..10 {
        let (answer, took) = health(&address).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && took < Duration::from_secs(5), "{took:?} {answer}");
    }
    let before = supervisor.workers();
    assert_eq!(supervisor.client().post("/api/pool/recycle", &json!({ "all": true })).status, 200);
    eventually("every worker is replaced", SOON, || {
        let workers = supervisor.workers();
        workers.len() == 2 && workers.iter().all(|worker| !before.contains(worker))
    });
    let client = supervisor.client();
    let id = client.submit(&json!({ "workflow": "echo", "parameters": 1 }));
    assert_eq!(client.finished(&id, SOON)["status"], "SUCCESS");
    assert!(!supervisor.log().contains("Too many open files"), "{}", supervisor.log());
    drop(silent);
}

#[test]
fn when_every_connection_is_at_work_health_is_answered_still_and_others_are_told_to_wait() {
    let installation = workflows::installed();
    let supervisor = installation.spawn_under(&["prlimit", "--nofile=320:320"]);
    supervisor.wait_ready(SOON);
    let address = installation.url().trim_start_matches("http://").to_owned();
    let token = fs::read_to_string(installation.path("data/http_token")).unwrap();
    let id = supervisor.client().submit(&json!({ "workflow": "sleep", "parameters": { "ms": 600_000 } }));
    let wait = format!(
        "GET /api/executions/{id}?wait=600 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        token.trim()
    );
    let mut waiting = Vec::new();
    let refused = eventually("no connection is left for anything but health", SOON * 2, || {
        for _ in 0..8 {
            let Ok(mut stream) = TcpStream::connect(&address) else { break };
            let _ = stream.write_all(wait.as_bytes());
            waiting.push(stream);
        }
        let stream = waiting.last_mut().unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut answer = [0; 512];
        let read = stream.read(&mut answer).unwrap_or(0);
        let text = String::from_utf8_lossy(&answer[..read]).into_owned();
        text.contains("all connections are taken").then_some(text)
    });
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("connection: close"), "{refused}");
    for _ in 0..5 {
        let (answer, took) = health(&address).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && took < Duration::from_secs(5), "{took:?} {answer}");
    }
    drop(waiting);
    eventually("there is room again", SOON, || {
        supervisor.client().try_get("/api/pool").is_some_and(|it| it.status == 200)
    });
}

#[test]
fn a_workflow_does_not_reach_the_api_of_its_supervisor_also_after_a_reload() {
    let code = "export default async ({ url }) => (await fetch(url)).status;\n";
    let installation = Installation::new().workflow("go.js", code).setting("http_token", "none");
    let supervisor = installation.start();
    let client = supervisor.client();
    let refused = || {
        let url = format!("{}/healthz", installation.url());
        let id = client.submit(&json!({ "workflow": "go", "parameters": { "url": url } }));
        let row = client.finished(&id, SOON);
        row["error_message"].as_str().is_some_and(|message| message.contains("it is the supervisor's API"))
    };
    assert!(refused());
    let before = supervisor.workers();
    assert_eq!(client.post("/api/pool/reload", &json!({})).status, 200);
    eventually("every worker is replaced", SOON, || {
        supervisor.workers().iter().all(|worker| !before.contains(worker))
    });
    assert!(refused());
}
