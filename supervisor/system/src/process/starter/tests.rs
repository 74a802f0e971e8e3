use super::*;
use crate::confinement::{ConfinementPlan, KernelFacts};

#[test]
fn a_worker_is_taken_before_the_supervisor_whatever_score_that_has() {
    assert_eq!(worker_oom_score(Some("0\n")), 500);
    assert_eq!(worker_oom_score(Some("-900\n")), -400);
    assert_eq!(worker_oom_score(Some("300\n")), 800);
    assert_eq!(worker_oom_score(Some("1000\n")), 1000);
    assert_eq!(worker_oom_score(None), 500);
}

/// An executable that somebody has open for writing.
fn fresh() -> (tempfile::TempDir, Launch, std::fs::File) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("fresh");
    std::fs::copy("/bin/true", &program).unwrap();
    let writer = std::fs::File::options().append(true).open(&program).unwrap();
    let launch = Launch::new(&[program.display().to_string()], Vec::new()).unwrap();
    (folder, launch, writer)
}

#[test]
fn an_executable_that_is_being_written_is_tried_again() {
    let (_folder, launch, writer) = fresh();
    let mut child = PreparedChild::bare(arguments_of(&launch, &[]).unwrap());
    let (mut starter, mut writer, mut busy) = (Starter::new(None), Some(writer), 0);
    let started = unless_busy(|| {
        let started = starter.start(&mut child, None);
        busy += u32::from(started.is_err());
        if busy == 3 {
            writer = None;
        }
        started
    });
    let waited = waitid(WaitId::Pid(started.unwrap().0), WaitIdOptions::EXITED).unwrap().unwrap();
    assert_eq!((waited.exit_status(), busy), (Some(0), 3));
}

/// What a process in a domain of this version of Landlock gets at: 1 for a signal to us, 2 for our environment.
fn reached_from(landlock_abi: i32) -> Option<i32> {
    let script = "reached=0; kill -0 $PPID 2>/dev/null && reached=1; \
         (: </proc/$PPID/environ) 2>/dev/null && reached=$((reached + 2)); exit $reached";
    let command = ["/bin/sh", "-c", script].map(str::to_owned);
    let launch = Launch::new(&command, Vec::new()).unwrap();
    let plan = ConfinementPlan::of(ConfinementLevel::Scoped);
    let walls = Some(PreparedWalls::prepare_on(&plan, &mut SpareDomain::default(), landlock_abi).unwrap());
    let mut child = PreparedChild { walls, ..PreparedChild::bare(arguments_of(&launch, &[]).unwrap()) };
    let (pid, _) = Starter::new(None).start(&mut child, None).unwrap();
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).unwrap().unwrap().exit_status()
}

#[test]
fn each_version_of_landlock_keeps_a_process_from_what_it_can() {
    if KernelFacts::read().landlock_abi < 6 {
        return;
    }
    // Root's environment is closed to whoever has fewer capabilities, as any confined process has.
    let none = if KernelFacts::read().is_root { 1 } else { 3 };
    assert_eq!([0, 2, 5, 6].map(reached_from), [Some(none), Some(1), Some(1), Some(0)]);
}

#[test]
fn a_process_is_the_same_however_many_were_started_and_failed_before() {
    let good = Launch::new(&["/bin/true".to_owned()], Vec::new()).unwrap();
    let bad = Launch::new(&["/no/such/program".to_owned()], Vec::new()).unwrap();
    let bare = Launch::new(&["true".to_owned()], Vec::new()).unwrap();
    let mut starter = Starter::new(None);
    for _ in 0..20 {
        for missing in [&bad, &bare] {
            assert_eq!(starter.spawn(missing, None).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        let child = starter.spawn(&good, None).unwrap();
        let waited = waitid(WaitId::Pid(child.group.leader()), WaitIdOptions::EXITED).unwrap().unwrap();
        assert_eq!(waited.exit_status(), Some(0));
    }
}

#[test]
fn signals_do_in_a_new_program_what_they_do_by_default() {
    // Rust ignores SIGPIPE, and this thread has all signals held back while it starts a process.
    let command = ["/bin/sh", "-c", "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status"].map(str::to_owned);
    let child = Starter::new(None).spawn(&Launch::new(&command, Vec::new()).unwrap(), None).unwrap();
    let mut said = String::new();
    io::Read::read_to_string(&mut std::fs::File::from(child.stdout), &mut said).unwrap();
    let masks: Vec<&str> = said.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let ignored_before_us = u64::from_str_radix(masks[1], 16).unwrap() & !(1 << 12);
    assert_eq!((masks[0], masks.len()), ("0".repeat(16).as_str(), 3), "{said}");
    assert_eq!(u64::from_str_radix(masks[1], 16).unwrap(), ignored_before_us, "SIGPIPE: {said}");
    waitid(WaitId::Pid(child.group.leader()), WaitIdOptions::EXITED).unwrap();
}

#[test]
fn an_executable_that_stays_open_for_writing_is_an_error_that_says_so() {
    let (_folder, launch, _writer) = fresh();
    let error = Starter::new(None).spawn(&launch, None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ExecutableFileBusy);
}
