//! Many executions cancelled or run again by what they have in common: counted first, done once.

use std::time::Duration;

use muster_tests::eventually;

use super::{Said, installed, json, run, run_with};

const SOON: Duration = Duration::from_secs(60);
/// More than one request looks at.
const MANY: usize = 620;
/// Fails until somebody has repaired what is wrong.
const BROKEN: &str = "export default async (params, ctx) => {
  if (!(await ctx.config.get('is_repaired'))) throw new RangeError('it is broken');
};\n";

#[track_caller]
fn done(said: &Said) -> &str {
    assert_eq!(said.code, 0, "{}", said.err);
    &said.out
}

#[test]
fn what_waits_is_counted_and_then_cancelled() {
    let installation = installed();
    let _supervisor = installation.start();
    let lines: String = (0..MANY)
        .map(|number| {
            let queue = if number < 20 { r#","queue":"slow""# } else { "" };
            format!("{{\"workflow\":\"echo\",\"delay_seconds\":3600{queue}}}\n")
        })
        .collect();
    done(&run_with(&installation, &["submit", "--from", "-"], &lines));
    done(&run(&installation, &["submit", "other", "--delay", "3600"]));

    let nothing = run(&installation, &["cancel"]);
    assert!(nothing.code == 2 && nothing.err.contains("which executions?"), "{}", nothing.err);
    let both = run(&installation, &["cancel", "0198aa", "--workflow", "echo"]);
    assert_eq!(both.code, 2, "{}", both.err);
    let terminal = run(&installation, &["cancel", "--status", "FAILED", "--yes"]);
    assert!(terminal.code == 2 && terminal.err.contains("not for FAILED"), "{}", terminal.err);

    let said = run(&installation, &["cancel", "--workflow", "echo"]);
    assert_eq!(done(&said), format!("{MANY} executions would be cancelled\n"));
    assert!(said.err.contains("--yes"), "{}", said.err);
    let said = run(&installation, &["cancel", "--queue", "slow", "--yes"]);
    assert_eq!(done(&said), "20 were waiting and are CANCELLED, 0 are running and are asked to end\n");
    let view = json(&installation, &["cancel", "--workflow", "echo", "--yes", "--json"]);
    assert_eq!((&view["done"], &view["unchanged"]), (&(MANY - 20).into(), &0.into()));
    let again = run(&installation, &["cancel", "--workflow", "echo", "--yes"]);
    assert!(done(&again).starts_with("0 were waiting"), "{}", again.out);
    let left = json(&installation, &["list", "--status", "PENDING", "--json"]);
    assert_eq!(left["executions"].as_array().unwrap().len(), 1);
    assert_eq!(left["executions"][0]["workflow"], "other");
}

#[test]
fn what_failed_is_run_again_once() {
    let installation = installed().workflow("broken.js", BROKEN);
    let _supervisor = installation.start();
    for _ in 0..3 {
        let said = run(&installation, &["submit", "broken", "--wait"]);
        assert_ne!(said.code, 0);
    }
    let failed = ["retry", "--status", "FAILED", "--error-type", "RangeError"];
    assert_eq!(done(&run(&installation, &failed)), "3 executions would be run again\n");
    done(&run(&installation, &["variable", "set", "is_repaired", "yes"]));
    let again = [&failed[..], &["--yes"]].concat();
    assert_eq!(done(&run(&installation, &again)), "3 are submitted again\n");
    assert_eq!(done(&run(&installation, &again)), "0 are submitted again, 3 were submitted again before\n");
    let counted = "0 executions would be run again, 3 were submitted again before\n";
    assert_eq!(done(&run(&installation, &failed)), counted);
    let succeeded = || {
        let page = json(&installation, &["list", "--status", "SUCCESS", "--json"]);
        page["executions"].as_array().unwrap().iter().filter(|row| row["retry_of"].is_string()).count()
    };
    eventually("they succeed now", SOON, || succeeded() == 3);
}
