//! Which of several supervisors ran an attempt, and where what it kept is.

use muster_tests::{Installation, eventually};
use serde_json::json;

use crate::world::{SOON, World};

#[track_caller]
fn said(installation: &Installation, arguments: &[&str]) -> (Option<i32>, String) {
    let output = installation.run(arguments);
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code(), text)
}

#[test]
fn an_attempt_says_who_ran_it_and_a_transcript_where_it_is() {
    let mut world = World::shared();
    let first = world.installation();
    let one = first.start();
    eventually("it has said who it is", SOON, || world.record.count("supervisors") == 1);
    let request = json!({ "workflow": "chatty", "parameters": { "count": 1, "then": "throw" } });
    let id = world.queue.submit(request);
    world.record.finished(&id, SOON);
    let second = world.installation();
    let two = second.start();

    let (_, shown) = said(&second, &["show", &id]);
    let process = format!("process {} since", one.id());
    let ran_on = shown.lines().find(|line| line.starts_with("ran on")).unwrap_or_default();
    assert!(ran_on.contains(&process) && ran_on.contains(&first.url()), "{shown}");
    let claimed = shown.lines().find(|line| line.contains("  claimed  ")).unwrap_or_default();
    assert!(claimed.contains(&format!("/{}", one.id())), "{shown}");

    for (place, from) in [(&first, ""), (&second, ", which ran it (http://")] {
        let (code, transcript) = said(place, &["transcript", &id]);
        assert_eq!(code, Some(0), "{transcript}");
        assert!(transcript.contains("after all that") && transcript.contains(from), "{transcript}");
    }
    assert!(one.terminate(SOON).success());
    let (code, elsewhere) = said(&second, &["transcript", &id]);
    assert_eq!(code, Some(1), "{elsewhere}");
    assert!(elsewhere.contains(&format!("supervisor transcript {id} --url {}", first.url())), "{elsewhere}");

    // After a restart the files are where they were.
    let again = first.start();
    assert_eq!(said(&first, &["transcript", &id]).0, Some(0));
    assert!(again.terminate(SOON).success());
    world.assert_clean(two, &second);
}
