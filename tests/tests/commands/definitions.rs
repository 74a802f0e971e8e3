//! What is defined by command: made, seen, changed, removed, and who did it.

use std::time::Duration;

use muster_tests::{Installation, eventually};

use super::{Said, installed, json, run, run_with};

/// A key like `supervisor secret key` makes.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const SOON: Duration = Duration::from_secs(30);

#[track_caller]
fn done(said: &Said) -> &str {
    assert_eq!(said.code, 0, "{}", said.err);
    &said.out
}

#[test]
fn a_workflow_is_defined_seen_changed_and_removed() {
    let installation = installed();
    let _supervisor = installation.start();
    let set = ["workflow", "set", "billing/echo", "--path", "echo.js", "--timeout", "7"];
    let said = run(&installation, &set);
    assert!(done(&said).starts_with("+ workflow billing/echo\n"), "{}", said.out);
    assert!(said.out.contains("    path: \"echo.js\"\n    timeout_seconds: 7"), "{}", said.out);
    assert_eq!(done(&run(&installation, &set)), "nothing to change\n");
    let submitted = run(&installation, &["submit", "billing/echo", "--params", "{\"a\":1}", "--wait"]);
    assert_eq!(done(&submitted), "{\"a\":1}\n");

    let said = run(&installation, &["workflow", "set", "billing/echo", "--max-attempts", "3", "--dry-run"]);
    assert!(
        done(&said).contains("max_attempts: 3") && said.out.contains("nothing was changed"),
        "{}",
        said.out
    );
    done(&run(&installation, &["workflow", "set", "billing/echo", "--max-attempts", "3"]));
    let shown = json(&installation, &["workflow", "show", "billing/echo"]);
    assert_eq!((&shown["path"], &shown["max_attempts"]), (&"echo.js".into(), &3.into()));
    let listed = run(&installation, &["workflow", "list"]);
    let row = done(&listed).lines().find(|line| line.starts_with("billing/echo")).unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["billing/echo", "-", "echo.js", "7.00", "s", "3", "-", "-", "yes"]
    );
    let at_once = ["--max-concurrent", "20", "--max-concurrent-per-key", "2", "--key", "caller"];
    let set =
        [&["workflow", "set", "billing/echo", "--queue", "fast", "--backoff", "5"][..], &at_once].concat();
    done(&run(&installation, &set));
    let shown = json(&installation, &["workflow", "show", "billing/echo"]);
    assert_eq!(shown["concurrency"], serde_json::json!({ "total": 20, "per_key": 2, "key": "caller" }));
    assert_eq!((&shown["queue"], &shown["retry"]["backoff_seconds"]), (&"fast".into(), &5.0.into()));
    let limit = json(&installation, &["limit", "show", "workflow/billing/echo", "--json"]);
    assert_eq!(limit["terms"]["per_key"], 2);
    let gone = ["workflow", "set", "billing/echo", "--max-concurrent", "", "--max-concurrent-per-key", ""];
    done(&run(&installation, &gone));
    let shown = json(&installation, &["workflow", "show", "billing/echo"]);
    assert!(shown["concurrency"].is_null() && shown["queue"] == "fast", "{shown}");
    done(&run(&installation, &["webhook", "set", "ops", "--to", "https://example.com", "--workflow", ""]));
    assert_eq!(json(&installation, &["webhook", "show", "ops"])["workflows"], serde_json::json!([]));
    let ends = ["--webhook", "ops", "--retention-days", "30.5", "--retention-failed-days", "0"];
    done(&run(&installation, &[&["workflow", "set", "billing/echo"][..], &ends].concat()));
    let shown = json(&installation, &["workflow", "show", "billing/echo"]);
    assert_eq!(
        (&shown["webhook"], &shown["retention_days"], &shown["retention_failed_days"]),
        (&"ops".into(), &30.5.into(), &0.0.into())
    );
    let gone = ["--webhook", "", "--retention-days", "", "--retention-failed-days", ""];
    done(&run(&installation, &[&["workflow", "set", "billing/echo"][..], &gone].concat()));
    let shown = json(&installation, &["workflow", "show", "billing/echo"]);
    assert!(shown["webhook"].is_null() && shown["retention_days"].is_null(), "{shown}");
    let unknown = run(&installation, &["workflow", "set", "billing/echo", "--limit", "crm"]);
    assert!(unknown.err.contains("there is no limit \"crm\""), "{}", unknown.err);
    let paused = run(&installation, &["pause", "workflow:billing/ecko"]);
    done(&paused);
    assert!(paused.err.contains("did you mean billing/echo?"), "{}", paused.err);
    done(&run(&installation, &["resume", "workflow:billing/ecko"]));
    let paused = run(&installation, &["pause", "workflow:billing/echo"]);
    assert!(paused.err.is_empty(), "{}", paused.err);
    done(&run(&installation, &["resume", "workflow:billing/echo"]));

    let wrong = run(&installation, &["workflow", "remove", "billing/ecko"]);
    assert!(wrong.code == 1 && wrong.err.contains("did you mean billing/echo?"), "{}", wrong.err);
    assert!(
        done(&run(&installation, &["workflow", "remove", "billing/echo"]))
            .starts_with("- workflow billing/echo\n")
    );
    assert_eq!(run(&installation, &["workflow", "show", "billing/echo"]).code, 1);
    let page = json(&installation, &["changes", "--json"]);
    let changes = page["changes"].as_array().unwrap().iter().map(|one| &one["change"]);
    let actions: Vec<_> =
        changes.filter(|change| change["kind"] == "workflow").map(|change| &change["action"]).collect();
    assert_eq!(actions, ["remove", "change", "change", "change", "change", "change", "create"]);
    assert!(page["changes"][0]["who"].as_str().unwrap().ends_with(" from 127.0.0.1"), "{page:#}");
}

#[test]
fn runs_see_variables_and_secrets_of_their_organization() {
    let installation = Installation::new().workflow(
        "read.js",
        "export default async (params, ctx) => [await ctx.config.get('region'), await ctx.config.get('key')];\n",
    );
    let installation = installation.setting("secret_key", KEY);
    let supervisor = installation.start();
    done(&run(&installation, &["organization", "set", "acme", "--name", "Acme Ltd."]));
    done(&run(&installation, &["variable", "set", "region", "north"]));
    done(&run(&installation, &["variable", "set", "region", "south", "--organization", "acme"]));
    let set = ["secret", "set", "key", "--organization", "acme"];
    let said = run_with(&installation, &set, "planted-8861\n");
    assert!(done(&said).starts_with("+ secret key of acme\n"), "{}", said.out);
    let acme = json(&installation, &["organization", "show", "acme"])["id"].as_str().unwrap().to_owned();
    let read = |organization: &[&str]| {
        let submit = [&["submit", "read", "--wait"], organization].concat();
        done(&run(&installation, &submit)).trim_end().to_owned()
    };
    assert_eq!(read(&[]), r#"["north",null]"#);
    assert_eq!(read(&["--organization", &acme]).matches("south").count(), 1);

    let wrong = run(&installation, &["variable", "set", "region", "east", "--organization", "acmee"]);
    assert!(wrong.code == 2 && wrong.err.contains("did you mean acme?"), "{}", wrong.err);
    let held = run(&installation, &["organization", "remove", "acme"]);
    assert!(held.code == 2 && held.err.contains("still has 1 variable, 1 secret"), "{}", held.err);

    // Nothing that is shown has the secret.
    for shown in
        [&["secret", "list"][..], &["secret", "list", "--json"], &["changes"], &["changes", "--json"]]
    {
        let said = run(&installation, shown);
        assert!(done(&said).contains("key") && !said.out.contains("planted"), "{shown:?}: {}", said.out);
    }
    let log = eventually("the change is in the log", SOON, || {
        Some(supervisor.log()).filter(|log| log.contains("/api/secrets/key"))
    });
    assert!(!log.contains("planted"), "{log}");
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_one() {
    let installation = installed();
    let supervisor = installation.start();
    let answer = supervisor.client().put("/api/workflows/a/b", &serde_json::json!({ "tiemout_seconds": 3 }));
    assert_eq!(answer.status, 400);
    assert!(
        answer.body["detail"].as_str().unwrap().contains("did you mean timeout_seconds?"),
        "{}",
        answer.body
    );
    let answer = supervisor.client().put("/api/workflows/a/b", &serde_json::json!({ "timeout_seconds": 3 }));
    assert_eq!((answer.status, &answer.body["changes"][0]["name"]), (200, &"a/b".into()));
    // However the address is written.
    assert_eq!(supervisor.client().get("/api/workflows/a%2Fb").body["timeout_seconds"], 3.0);
    let all = supervisor.client().get("/api/workflows").body;
    assert_eq!(all["defined"][0]["name"], "a/b");
}

/// A file of an organization with a variable, two webhooks, thirty limits, two hundred workflows and fifty schedules.
fn two_hundred_workflows() -> String {
    let mut text = String::from(
        "[organizations.acme]\nname = \"Acme Ltd.\"\n[config.acme]\nregion = \"eu\"\n\
         [webhooks.ops]\nurl = \"https://example.com/hook\"\nevents = [\"FAILED\"]\n\
         [webhooks.billing]\nurl = \"https://example.com/billing\"\nworkflows = []\n",
    );
    for n in 0..30 {
        text.push_str(&format!("[limits.l{n}]\ntotal = 3\nrate = \"100/60s\"\n"));
    }
    for n in 0..200 {
        let limit = n % 30;
        text.push_str(&format!(
            "[workflows.\"w/{n}\"]\npath = \"echo.js\"\nlimits = [\"l{limit}\"]\nwebhook = \"billing\"\n\
             retention_days = 30\nretention_failed_days = 0\nconcurrency = {{ per_key = 2, key = \"caller\" }}\n\
             retry = {{ max_attempts = 3, backoff_seconds = 0.5 }}\n"
        ));
    }
    for n in 0..50 {
        text.push_str(&format!(
            "[schedules.s{n}]\nworkflow = \"w/{n}\"\ncron = \"30 2 * * *\"\ntime_zone = \"Europe/Berlin\"\n\
             organization = \"acme\"\nparameters = {{ number = {n} }}\n"
        ));
    }
    text
}

#[test]
fn a_file_is_applied_as_a_whole_and_exported_as_it_was() {
    let installation = installed();
    let _supervisor = installation.start();
    let file = installation.path("muster.defs.toml");
    let file = file.to_str().unwrap();
    let text = two_hundred_workflows();
    std::fs::write(file, &text).unwrap();
    let said = run(&installation, &["apply", file, "--dry-run"]);
    assert!(
        done(&said).ends_with("would be: 284 created, 0 changed, 0 removed; nothing was changed\n"),
        "{}",
        said.out
    );
    let said = run(&installation, &["apply", file]);
    assert!(done(&said).ends_with("284 created, 0 changed, 0 removed\n"), "{}", said.out);
    assert_eq!(done(&run(&installation, &["apply", file, "--prune"])), "nothing to change\n");
    done(&run(&installation, &["submit", "w/199", "--wait"]));

    let exported = installation.path("exported.toml");
    let export = || run(&installation, &["export"]);
    std::fs::write(&exported, done(&export())).unwrap();
    let said = run(&installation, &["apply", exported.to_str().unwrap(), "--prune"]);
    assert_eq!(done(&said), "nothing to change\n");

    // Each workflow, schedule and limit changes, and what came of it is what a new database makes of the file.
    let changed =
        text.replace("retention_days = 30", "retention_days = 31").replace("total = 3", "total = 4");
    let changed = changed.replace("30 2 * * *", "45 3 * * *");
    std::fs::write(file, &changed).unwrap();
    let said = run(&installation, &["apply", file, "--prune"]);
    assert!(done(&said).ends_with("0 created, 280 changed, 0 removed\n"), "{}", said.out);
    let elsewhere = installed();
    let _other = elsewhere.start();
    done(&run(&elsewhere, &["apply", file]));
    assert_eq!(done(&run(&elsewhere, &["export"])), done(&export()));

    // One wrong line, and nothing is changed.
    let line = text.lines().count() + 2;
    std::fs::write(file, format!("{text}[workflows.wrong]\norganization = \"acmee\"\n[workflows.new]\n"))
        .unwrap();
    let said = run(&installation, &["apply", file]);
    assert_eq!(said.code, 2, "{}", said.out);
    let place = format!(
        "{file}:{line}: workflows.wrong.organization: there is no organization \"acmee\"; did you mean acme?"
    );
    assert!(said.err.contains(&place), "{}", said.err);
    assert_eq!(run(&installation, &["workflow", "show", "new"]).code, 1);

    std::fs::write(file, "[organizations.acme]\nname = \"Acme Ltd.\"\n").unwrap();
    let said = run(&installation, &["apply", file, "--prune"]);
    assert!(done(&said).ends_with("0 created, 0 changed, 283 removed\n"), "{}", said.out);
}

#[test]
fn without_a_key_a_secret_is_refused_and_those_in_clear_are_named_and_encrypted() {
    let installation = installed();
    let supervisor = installation.start();
    let refused = run_with(&installation, &["secret", "set", "key"], "planted-8861");
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("supervisor secret key") && !refused.err.contains("planted"),
        "{}",
        refused.err
    );
    assert!(supervisor.terminate(SOON).success());
    let made = run(&installation, &["secret", "key"]);
    let installation = installation.setting("secret_key", done(&made).trim_end());
    let _supervisor = installation.start();
    done(&run_with(&installation, &["secret", "set", "key"], "planted-8861"));
    assert_eq!(done(&run(&installation, &["secret", "rotate"])), "0 encrypted with the current key\n");
}
