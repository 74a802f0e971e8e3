//! Workers behind launchers, as people write them in `worker_command`: started, stopped in order, killed whole, and judged
//! by their own end.
//!
//! The table in `supervisor/LAUNCHERS.md` is what this suite saw. Launchers that are not installed are passed over and keep
//! their line; `MUSTER_BLESS=1` writes the table anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]
#![expect(clippy::disallowed_methods, reason = "launchers are started as their users start them")]

mod launcher;
mod look;
mod table;

use launcher::{LAUNCHERS, Launcher};
use look::Look;

/// Looks at one launcher, if it is there, and holds it to its line of the table.
fn holds(name: &str) {
    let launcher = LAUNCHERS.iter().find(|launcher| launcher.name == name).unwrap();
    let Some(version) = launcher.version() else {
        assert!(!launcher.is_always_there, "{name} belongs to every machine and is not on this one");
        return;
    };
    let look = Look::at(launcher);
    look.assert_right(launcher);
    table::hold(launcher, &version, &look);
}

/// A test for each launcher, so that one that is slow holds up none.
macro_rules! launchers {
    ($($test:ident: $name:literal;)+) => { $( #[test] fn $test() { holds($name); } )+ };
}

launchers! {
    without_one: "none";
    sh: "sh -c";
    bash: "bash -c";
    bash_that_stays: "bash -c '…; exit $?'";
    env: "env";
    nice: "nice";
    timeout: "timeout";
    setpriv: "setpriv";
    runuser: "runuser";
    su: "su";
    setsid: "setsid";
    setsid_that_waits: "setsid --wait";
    unshare: "unshare --fork";
    tini: "tini";
    npm_run: "npm run";
    npx: "npx";
    yarn_run: "yarn run";
    pnpm_run: "pnpm run";
    env_cmd: "env-cmd";
    dotenv_of_python: "dotenv run";
    dotenv_of_node: "dotenv --";
    uv_run: "uv run";
    pipenv_run: "pipenv run";
    poetry_run: "poetry run";
}

#[test]
fn every_launcher_has_a_test_and_a_line() {
    let page = table::page();
    for Launcher { name, .. } in LAUNCHERS {
        assert!(page.contains(&format!("| `{name}` |")), "{name} has no line in supervisor/LAUNCHERS.md");
    }
}
