//! A child: whose it is, and what it has of its parent.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use muster_core::process::ExitStatus;
use muster_system::process::{ExitWatch, SpawnedChild, Spawner};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::launch;

const SOON: Duration = Duration::from_secs(10);

/// Writes a line to a child that copies its stdin to its stdout, and gives what comes back.
fn echo(child: &SpawnedChild) -> String {
    let mut input = File::from(child.stdin.try_clone().unwrap());
    let output = File::from(child.stdout.try_clone().unwrap());
    // A child that died does not read, which the missing answer tells better.
    let _ = input.write_all(b"still here\n");
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).unwrap();
    line
}

async fn end(child: SpawnedChild) -> ExitStatus {
    let watch = ExitWatch::new(child.group, child.pidfd).unwrap();
    child.group.kill();
    watch.ended().await;
    watch.reap()
}

fn status_of_process(child: &SpawnedChild, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/{key}", child.group.id())).unwrap();
    status.trim().to_owned()
}

#[tokio::test]
async fn a_child_survives_the_thread_that_asked_for_it() {
    // The signal of the parent's death is sent when the *thread* that spawned ends.
    let spawner = Spawner::start().unwrap();
    let mortal = launch(&["/usr/bin/setpriv", "--pdeathsig", "KILL", "/bin/cat"]);
    let asking = spawner.clone();
    let asker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let child = runtime.block_on(asking.spawn(mortal)).unwrap();
        // An echo says that the signal is set: it is the program behind it that answers.
        assert_eq!(echo(&child), "still here\n");
        (child, rustix::thread::gettid())
    });
    let (child, thread) = asker.join().unwrap();
    let task = format!("/proc/self/task/{}", thread.as_raw_pid());
    let deadline = Instant::now() + SOON;
    while Path::new(&task).exists() {
        assert!(Instant::now() < deadline, "a thread that is joined is still there");
        std::thread::yield_now();
    }
    assert_eq!(echo(&child), "still here\n");
    assert_eq!(end(child).await, ExitStatus::Signal(9));
}

#[tokio::test]
async fn the_kernel_takes_a_child_before_its_parent() {
    let ours: i32 = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
    let child = Spawner::start().unwrap().spawn(launch(&["/bin/cat"])).await.unwrap();
    let score: i32 = status_of_process(&child, "oom_score_adj").parse().unwrap();
    assert_eq!(score, (ours + 500).min(1000));
    end(child).await;
}

#[tokio::test]
async fn a_child_leads_its_group_and_gets_three_blocking_pipes() {
    let child = Spawner::start().unwrap().spawn(launch(&["/bin/cat"])).await.unwrap();
    assert_eq!(echo(&child), "still here\n");
    let stat = status_of_process(&child, "stat");
    let group = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(2).unwrap().to_owned();
    assert_eq!(group, child.group.id().to_string());
    for number in 0..3 {
        let info = status_of_process(&child, &format!("fdinfo/{number}"));
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        assert_eq!(flags & rustix::fs::OFlags::NONBLOCK.bits(), 0, "descriptor {number}: {info}");
    }
    end(child).await;
}

#[tokio::test]
async fn without_descriptors_a_spawn_is_an_error_and_leaves_nothing() {
    let spawner = Spawner::start().unwrap();
    let limit = getrlimit(Resource::Nofile);
    let open = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let mut refused = 0;
    for spare in 0..8 {
        setrlimit(Resource::Nofile, Rlimit { current: Some(open - 1 + spare), maximum: limit.maximum })
            .unwrap();
        let spawned = spawner.spawn(launch(&["/bin/cat"])).await;
        setrlimit(Resource::Nofile, limit).unwrap();
        match spawned {
            Ok(child) => {
                assert_eq!(echo(&child), "still here\n");
                end(child).await;
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()), "{error}");
            }
        }
        assert_eq!(fs::read_dir("/proc/self/fd").unwrap().count() as u64, open, "with {spare} to spare");
        assert!(crate::orphans::children().is_empty(), "with {spare} to spare");
    }
    assert!((1..8).contains(&refused), "{refused}");
}
