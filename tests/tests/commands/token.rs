//! Who may use the API: the token that is there by default, one that was set, and none.

use std::time::Duration;

use muster_tests::{ClientToken, eventually};

use super::{installed, json, run};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_token_is_asked_for_and_taken() {
    let installation = installed().setting("http_token", "open-sesame");
    let _supervisor = installation.spawn();
    // The client reads the token from where the setting is.
    eventually("it answers", SOON, || run(&installation, &["status"]).code == 0);
    let mut stranger = installation.command(&["list"]);
    let said = stranger.env_remove("MUSTER_HTTP_TOKEN").output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    let err = String::from_utf8(said.stderr).unwrap();
    assert!(err.contains("wants its token: give it with --token or MUSTER_HTTP_TOKEN"), "{err}");
    let mut friend = installation.command(&["list", "--token", "open-sesame"]);
    assert_eq!(friend.env_remove("MUSTER_HTTP_TOKEN").output().unwrap().status.code(), Some(0));
    // As a file has it, with the end of its line.
    let mut from_a_file = installation.command(&["list"]);
    assert_eq!(
        from_a_file.env("MUSTER_HTTP_TOKEN", "open-sesame\n").output().unwrap().status.code(),
        Some(0)
    );
}

#[test]
fn by_default_there_is_a_token_that_commands_find_by_themselves() {
    let installation = installed();
    let supervisor = installation.start();
    let file = installation.path("data/http_token");
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    // A second terminal knows the address at most: not the folder, not the settings.
    let elsewhere = |arguments: &[&str]| {
        let mut command = installation.command(arguments);
        command.current_dir("/").env_remove("MUSTER_DATA_DIR").env_remove("MUSTER_HTTP_BIND");
        let said = command.output().unwrap();
        (said.status.code(), String::from_utf8(said.stdout).unwrap(), String::from_utf8(said.stderr).unwrap())
    };
    let (code, out, err) = elsewhere(&["submit", "echo", "--params", "7", "--wait"]);
    assert_eq!((code, out.trim()), (Some(0), "7"), "{err}");
    let (code, out, _) = elsewhere(&["dashboard"]);
    assert_eq!((code, out.trim()), (Some(0), format!("{}/#token={token}", installation.url()).as_str()));
    let (code, out, _) = elsewhere(&["status"]);
    assert!(code == Some(0) && out.contains("workers"), "{out}");

    // Nobody else is let in, and a stranger of this machine learns where the token is, and not what it is.
    let stranger = supervisor.client().showing(ClientToken::None);
    for path in ["/api/pool", "/api/executions", "/metrics", "/api/openapi.json", "/ws"] {
        let refused = stranger.get(path);
        assert_eq!((refused.status, &refused.body["token_file"]), (401, &json_text(&file)), "{path}");
        assert!(!refused.body.to_string().contains(&token), "{path}");
    }
    assert_eq!(stranger.post("/api/executions", &serde_json::json!({ "workflow": "echo" })).status, 401);
    let wrong = supervisor.client().showing(ClientToken::Given(format!("{token}x")));
    assert_eq!(wrong.get("/api/pool").status, 401);
    assert_eq!(stranger.get("/healthz").status, 200);
    let ready = stranger.get("/readyz");
    assert_eq!((ready.status, ready.body.to_string().as_str()), (200, r#"{"ready":true}"#));
    assert!(supervisor.client().get("/readyz").body["parts"].is_array());
    assert!(!supervisor.log().contains(&token), "the token is in the log");
    assert!(supervisor.log().contains("http_token"), "{}", supervisor.log());

    // A file that others could have read is not used, and the error names it.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&file, open).unwrap();
    let (code, _, err) = elsewhere(&["list"]);
    assert!(code == Some(1) && err.contains(file.to_str().unwrap()), "{err}");
    // The next start keeps the token, and shuts the file.
    assert!(supervisor.terminate(SOON).success());
    let again = installation.start();
    assert_eq!(elsewhere(&["list"]).0, Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), token);
    drop(again);
}

fn json_text(path: &std::path::Path) -> serde_json::Value {
    path.to_str().unwrap().into()
}

#[test]
fn who_insists_has_an_api_without_a_token_on_loopback_only() {
    let installation = installed().setting("http_token", "none");
    let supervisor = installation.start();
    assert!(!installation.path("data/http_token").exists());
    assert_eq!(supervisor.client().showing(ClientToken::None).get("/api/pool").status, 200);
    assert_eq!(run(&installation, &["list"]).code, 0);
    assert_eq!(run(&installation, &["dashboard"]).out.trim(), format!("{}/", installation.url()));
    let said = run(&installation, &["run", "--http-bind", "0.0.0.0:0"]);
    assert!(said.code == 2 && said.err.contains("leave http_token out"), "{}", said.err);
}

#[test]
fn a_token_that_was_made_for_others_starts_no_supervisor() {
    let installation = installed();
    let supervisor = installation.start();
    let made = run(&installation, &["token", "create", "grafana", "--role", "view"]).out.trim().to_owned();
    assert!(supervisor.terminate(SOON).success());
    // In the shell in which somebody exported what they show.
    let with_it = |arguments: &[&str]| {
        let said = installation.command(arguments).env("MUSTER_HTTP_TOKEN", &made).output().unwrap();
        let text = [said.stdout, said.stderr].concat();
        (said.status.code(), String::from_utf8(text).unwrap())
    };
    for (arguments, code) in [(["doctor"], 1), (["config"], 2), (["run"], 2)] {
        let (exited, said) = with_it(&arguments);
        assert_eq!(exited, Some(code), "{arguments:?}: {said}");
        assert!(said.contains("made, and whoever has http_token may do everything"), "{arguments:?}: {said}");
        assert!(said.contains("unset MUSTER_HTTP_TOKEN") && !said.contains(&made), "{arguments:?}: {said}");
    }
    let (exited, said) = with_it(&["migrate"]);
    assert_eq!(exited, Some(0), "it lets nobody in: {said}");

    // Nor from the file in which a supervisor keeps its own.
    std::fs::write(installation.path("data/http_token"), &made).unwrap();
    for (command, code) in [("doctor", 1), ("run", 1)] {
        let said = run(&installation, &[command]);
        assert_eq!(said.code, code, "{command}: {}", said.err);
        let said = [said.out, said.err].concat();
        assert!(said.contains("was made by `supervisor token create`"), "{command}: {said}");
    }
}

#[test]
fn tokens_are_made_for_others_and_do_what_their_role_says() {
    let installation = installed();
    let supervisor = installation.start();
    let made = run(&installation, &["token", "create", "grafana", "--role", "view"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let view = made.out.trim().to_owned();
    assert!(view.starts_with("muster_") && view.len() == 50, "{view}");
    assert_eq!(made.err, "token grafana with the role view; it does not expire\n");

    let as_grafana = |arguments: &[&str]| {
        let mut command = installation.command(arguments);
        let said = command.env("MUSTER_HTTP_TOKEN", &view).output().unwrap();
        (said.status.code(), String::from_utf8(said.stderr).unwrap())
    };
    assert_eq!(as_grafana(&["list"]).0, Some(0));
    assert_eq!(as_grafana(&["status"]).0, Some(0));
    let (code, err) = as_grafana(&["submit", "echo"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("this needs the role operate, and the token shown has the role view"), "{err}");
    eventually("the refusal is in the audit", SOON, || {
        supervisor.log().lines().any(|line| line.contains("refused a request") && line.contains("grafana"))
    });

    assert_eq!(run(&installation, &["organization", "set", "acme"]).code, 0);
    let bound = [
        "token",
        "create",
        "ci",
        "--role",
        "operate",
        "--organization",
        "acme",
        "--expires",
        "90d",
        "--json",
    ];
    let bound = json(&installation, &bound);
    assert_eq!(
        (&bound["token"]["organization"], &bound["token"]["role"]),
        (&"acme".into(), &"operate".into())
    );
    let secret = bound["secret"].as_str().unwrap();
    let dashboard = run(&installation, &["dashboard", "--token", secret]);
    assert_eq!(dashboard.out.trim(), format!("{}/#token={secret}", installation.url()), "{}", dashboard.err);
    let unknown = run(&installation, &["dashboard", "--token", "muster_unknown"]);
    assert!(unknown.code == 1 && unknown.err.contains("wants its token"), "{}", unknown.err);
    let listed = run(&installation, &["token", "list"]).out;
    assert!(listed.contains("grafana") && listed.contains("acme") && !listed.contains(&view), "{listed}");

    // The same name, a role there is not, an organization there is not: refused, with what to do.
    for (arguments, words) in [
        (["grafana", "--role", "view"].as_slice(), "supervisor token rotate grafana"),
        (&["x", "--role", "emperor"], "possible values: view, operate, admin"),
        (&["x", "--role", "view", "--organization", "acne"], "acme"),
        (&["x", "--role", "view", "--expires", "tomorrow"], "is no time"),
    ] {
        let said = run(&installation, &[&["token", "create"], arguments].concat());
        assert!(said.code != 0 && said.err.contains(words), "{arguments:?}: {}", said.err);
    }

    assert_eq!(run(&installation, &["token", "remove", "grafana"]).out, "removed token grafana\n");
    let (code, err) = as_grafana(&["list"]);
    assert!(code == Some(1) && err.contains("wants its token"), "{err}");
    let changes = run(&installation, &["changes"]).out;
    assert!(
        changes.contains("token") && changes.contains("grafana") && !changes.contains(&view),
        "{changes}"
    );
}
