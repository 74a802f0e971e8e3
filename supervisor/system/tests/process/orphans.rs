//! Reaping: each of our children once, by its watch, and nobody else's by accident.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use muster_core::process::ExitStatus;
use muster_system::process::{ExitWatch, SpawnCounter, Spawner, abandon, reap_orphans};
use rustix::process::{Pid, Signal, getpid, kill_process, set_child_subreaper};

use crate::launch;

const SOON: Duration = Duration::from_secs(10);

/// The children of this process, the dead ones that nobody reaped included.
pub(crate) fn children() -> Vec<u32> {
    muster_system::process::children(std::process::id())
}

fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| fields.trim_start().starts_with('Z'))
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        std::thread::yield_now();
    }
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn orphans_are_reaped_and_the_status_of_our_own_is_not_taken() {
    // What process 1 is to all orphans of its container, a subreaper is to those of its own children.
    set_child_subreaper(Some(getpid())).unwrap();
    let spawner = Spawner::start().unwrap();
    let leaving = "sleep 60 & echo $!; read line; exit 7";
    let child = spawner.spawn(launch(&["/bin/sh", "-c", leaving])).await.unwrap();
    let watch = ExitWatch::new(child.group, child.pidfd).unwrap();
    let mut line = String::new();
    BufReader::new(File::from(child.stdout)).read_line(&mut line).unwrap();
    let orphan: u32 = line.trim().parse().unwrap();

    drop(child.stdin);
    watch.ended().await;
    eventually("the grandchild is ours", || children().contains(&orphan));
    reap_orphans();
    assert!(!is_zombie(orphan) && children().contains(&orphan), "one that lives is left alone");

    kill(orphan);
    eventually("the grandchild is a zombie", || is_zombie(orphan));
    reap_orphans();
    assert!(!children().contains(&orphan), "a zombie is left");

    assert!(is_zombie(child.group.id()), "our own was reaped by somebody else");
    assert_eq!(watch.reap(), ExitStatus::Code(7));
    assert!(children().is_empty());
}

#[tokio::test]
async fn a_child_that_cannot_be_watched_is_ended_and_reaped() {
    let child = Spawner::start().unwrap().spawn(launch(&["/bin/cat"])).await.unwrap();
    assert_eq!(children(), [child.group.id()]);
    abandon(child.group);
    assert!(children().is_empty());
}

#[tokio::test]
async fn the_list_of_children_is_whole_while_others_of_them_end() {
    let restless = "sleep 60 & stay=$!; echo $stay; while :; do /bin/true & done";
    let child = Spawner::start().unwrap().spawn(launch(&["/bin/sh", "-c", restless])).await.unwrap();
    let mut line = String::new();
    BufReader::new(File::from(child.stdout)).read_line(&mut line).unwrap();
    let staying: u32 = line.trim().parse().unwrap();
    for look in 0..50 {
        let seen = muster_system::process::children(child.group.id());
        assert!(seen.contains(&staying), "look {look}: {seen:?}");
    }
    abandon(child.group);
    eventually("the child that stayed has ended with its group", || {
        muster_system::process::ObservedProcess::read(staying).is_none_or(|seen| seen.is_dead)
    });
}

#[tokio::test]
async fn what_was_left_is_ended_and_nothing_else_however_many_were_born_since() {
    let spawner = Spawner::start().unwrap();
    let stranger = spawner.spawn(launch(&["/bin/sleep", "60"])).await.unwrap();
    let since = SpawnCounter::open().last();
    let leaving = "setsid sleep 60 & echo $!; read line";
    let child = spawner.spawn(launch(&["/bin/sh", "-c", leaving])).await.unwrap();
    let mut line = String::new();
    BufReader::new(File::from(child.stdout)).read_line(&mut line).unwrap();
    let left: u32 = line.trim().parse().unwrap();
    // More numbers than are tried one by one; threads have numbers, too.
    (0..2_000).for_each(|_| std::thread::spawn(|| ()).join().unwrap());
    let (family, others) = (child.family.clone(), HashSet::from([stranger.group.id()]));
    let ended = tokio::task::spawn_blocking(move || family.end_born_since(since, &others)).await.unwrap();
    assert_eq!(ended.iter().map(|seen| seen.pid).collect::<Vec<_>>(), [left]);
    eventually("it has ended", || !fs::exists(format!("/proc/{left}")).unwrap() || is_zombie(left));
    assert!(!is_zombie(stranger.group.id()) && !is_zombie(child.group.id()), "others live");
    stranger.group.kill();
    child.group.kill();
}
