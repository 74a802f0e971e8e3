//! Webhooks by command: they are listed, changed, removed, and what cannot be is refused.

use crate::{installed, json, run};

#[test]
fn webhooks_are_defined_listed_changed_and_removed() {
    let installation = installed();
    let _supervisor = installation.start();
    let set = |arguments: &[&str]| run(&installation, &[&["webhook", "set", "ops"], arguments].concat());
    let new = set(&["--event", "FAILED"]);
    assert!(new.code == 2 && new.err.contains("say --to"), "{}", new.err);
    let set_up = set(&["--to", "https://example.com/hook", "--event", "FAILED"]);
    assert_eq!(set_up.code, 0, "{}", set_up.err);
    assert!(set_up.err.contains("supervisor secret set webhook.ops"), "{}", set_up.err);
    // What is not said stays as it is, and what is only tried changes nothing.
    assert_eq!(set(&["--workflow", "echo"]).code, 0);
    assert_eq!(set(&["--to", "https://example.com/other", "--dry-run"]).code, 0);
    let found = json(&installation, &["webhook", "show", "ops"]);
    assert_eq!(found["url"], "https://example.com/hook");
    assert_eq!((&found["events"][0], &found["workflows"][0]), (&"FAILED".into(), &"echo".into()));
    let listed = run(&installation, &["webhook", "list"]).out;
    assert!(listed.contains("https://example.com/hook") && listed.contains("FAILED"), "{listed}");
    let wrong = set(&["--event", "FAILD"]);
    assert!(wrong.code != 0 && wrong.err.contains("did you mean FAILED?"), "{}", wrong.err);
    let exported = run(&installation, &["export"]).out;
    assert!(exported.contains("[webhooks.ops]"), "{exported}");
    assert_eq!(run(&installation, &["webhook", "remove", "ops"]).code, 0);
    assert!(run(&installation, &["webhook", "list"]).err.contains("no webhook is defined"));
    assert_ne!(run(&installation, &["webhook", "show", "ops"]).code, 0);
    let nobody = run(&installation, &["webhook", "retry", "ops", "0198aa00-0000-7000-8000-000000000001"]);
    assert!(nobody.code != 0 && nobody.err.contains("has nothing to tell"), "{}", nobody.err);
}
