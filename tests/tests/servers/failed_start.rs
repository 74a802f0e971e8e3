//! `scripts/services` itself, where one of its servers does not start.
#![expect(clippy::disallowed_methods, reason = "the script is started as a person would")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

/// The script with a program in front of the real one, which fails or not.
struct Script {
    set: String,
    programs: tempfile::TempDir,
}

impl Script {
    fn new() -> Self {
        let programs = tempfile::tempdir().unwrap();
        Self { set: format!("tests-{}-failed-start", std::process::id()), programs }
    }

    fn break_redis(&self) {
        let file = self.programs.path().join("redis-server");
        fs::write(&file, "#!/bin/sh\necho 'of no use'\nexit 1\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn fix_redis(&self) {
        fs::remove_file(self.programs.path().join("redis-server")).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let path = format!("{}:{}", self.programs.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services"));
        command.args(["--set", &self.set]).args(arguments).env("PATH", path).output().unwrap()
    }

    /// The processes that have the folder of the set on their command line.
    fn processes(&self) -> Vec<String> {
        let ours = format!("-{}/", self.set);
        let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        });
        lines.filter(|line| line.contains(&ours)).collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.run(&["stop"]);
        let user = rustix::process::getuid().as_raw();
        let _ = fs::remove_file(format!("/tmp/muster-services-{user}-{}.lock", self.set));
    }
}

#[test]
fn a_start_that_fails_leaves_nothing_running_and_the_next_one_works() {
    let script = Script::new();
    script.break_redis();
    let failed = script.run(&["start"]);
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && said.contains("Redis does not start: of no use"), "{said}");
    assert_eq!(script.processes(), [""; 0], "servers run on after the start failed");

    script.fix_redis();
    let started = script.run(&["start"]);
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let brokers = || script.processes().iter().filter(|line| line.contains("beam")).count();
    assert_eq!(brokers(), 1);

    // One server of a set that runs fails: the others have nothing to do with it.
    script.run(&["kill", "redis"]);
    script.break_redis();
    assert!(!script.run(&["start"]).status.success());
    assert_eq!(brokers(), 1);
    script.fix_redis();
    assert!(script.run(&["start"]).status.success());
}
