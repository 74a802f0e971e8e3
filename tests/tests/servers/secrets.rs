//! A secret is in the database in no form that anybody can read, and what is kept of it is read by those who have the key.

use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use muster_tests::{Installation, Record, Services, TestSupervisor};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);
const OLD: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const NEW: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
const PLANTED: &str = "planted-secret-4711-correct-horse";
/// Gives away how long it is, and nothing else.
const READ: &str = "export default async (params, ctx) => (await ctx.config.get('key')).length;\n";

/// Everything that this text can be found by: in clear, in hex, and in base64 however it lies.
fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = (0..3).map(|lead| {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{}{secret}", " ".repeat(lead)));
        text[4..text.len() - 4].to_owned()
    });
    base64.chain([secret.to_owned(), hex.clone(), hex.to_uppercase()]).collect()
}

#[track_caller]
fn assert_unseen(dump: &[u8], of: &str) {
    for form in forms(PLANTED) {
        assert!(!dump.windows(form.len()).any(|part| part == form.as_bytes()), "{form} is in {of}");
    }
}

/// Sets the secret, has a run read it, and gives the supervisor.
fn planted(installation: &Installation) -> TestSupervisor {
    let supervisor = installation.start();
    let client = supervisor.client();
    assert_eq!(client.put("/api/secrets/key", &json!({ "value": PLANTED })).status, 200);
    assert_reads(&supervisor);
    supervisor
}

#[track_caller]
fn assert_reads(supervisor: &TestSupervisor) {
    let client = supervisor.client();
    let row = client.finished(&client.submit(&json!({ "workflow": "read" })), SOON);
    assert_eq!(row["result"], PLANTED.len(), "{row}");
}

#[test]
fn a_file_of_sqlite_does_not_hold_a_secret() {
    let installation = Installation::new().setting("secret_key", OLD).workflow("read.js", READ);
    let supervisor = planted(&installation);
    let files = |installation: &Installation| {
        let data = installation.path("data");
        let all = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.is_file())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect::<Vec<_>>()
    };
    let written = files(&installation);
    assert!(written.iter().any(|(path, _)| path.to_string_lossy().ends_with("-wal")), "{written:?}");
    for (path, bytes) in written {
        assert_unseen(&bytes, &path.display().to_string());
    }
    assert!(supervisor.terminate(SOON).success());

    // Another key is put before it, and the secret is encrypted with that; then the first may go.
    let installation = installation.setting("secret_key", format!("{NEW} {OLD}"));
    let supervisor = installation.start();
    assert_reads(&supervisor);
    let rotated = supervisor.client().post("/api/secrets", &json!({}));
    assert_eq!(rotated.body["changes"].as_array().map(Vec::len), Some(1), "{}", rotated.body);
    assert!(supervisor.terminate(SOON).success());
    let installation = installation.setting("secret_key", NEW);
    let supervisor = installation.start();
    assert_reads(&supervisor);
    for (path, bytes) in files(&installation) {
        assert_unseen(&bytes, &path.display().to_string());
    }
}

#[expect(clippy::disallowed_methods, reason = "the dump is made as an operator makes it")]
#[test]
fn a_dump_of_postgresql_does_not_hold_a_secret_and_what_was_in_clear_is_encrypted() {
    let backends = Services::shared().fresh();
    let installation =
        Installation::new().backends(&backends).setting("secret_key", OLD).workflow("read.js", READ);
    let supervisor = planted(&installation);
    let dump = || Command::new("pg_dump").arg(&backends.database_url).output().unwrap();
    let dumped = dump();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    assert!(String::from_utf8_lossy(&dumped.stdout).contains("config_entries"));
    assert_unseen(&dumped.stdout, "the dump");

    // As an earlier version wrote it.
    let record = Record::of(&backends);
    record.execute(&format!(
        "UPDATE config_entries SET value = '\"{PLANTED}\"', key_id = NULL WHERE key = 'key'"
    ));
    assert_reads(&supervisor);
    let listed = supervisor.client().get("/api/secrets").body;
    assert!(listed["secrets"][0]["key_id"].is_null(), "{listed}");
    let rotated = supervisor.client().post("/api/secrets", &json!({}));
    assert_eq!(rotated.body["changes"].as_array().map(Vec::len), Some(1), "{}", rotated.body);
    assert_unseen(&dump().stdout, "the dump after the rotation");
    assert_reads(&supervisor);
}

#[test]
fn without_the_key_of_a_secret_nothing_is_claimed_and_nothing_fails() {
    let installation = Installation::new().setting("secret_key", OLD).workflow("read.js", READ);
    assert!(planted(&installation).terminate(SOON).success());
    let installation = installation.setting("secret_key", NEW);
    let supervisor = installation.spawn();
    let client = supervisor.client();
    muster_tests::eventually("readiness says what is missing", SOON, || {
        let readiness = client.try_get("/readyz");
        readiness
            .is_some_and(|it| it.status == 503 && it.body.to_string().contains("secret_key does not have"))
    });
    let id = client.submit(&json!({ "workflow": "read" }));
    let explained = client.get(&format!("/api/executions/{id}/explain")).body.to_string();
    assert!(
        explained.contains("secret_key does not have") && !explained.contains("max_workers"),
        "{explained}"
    );
    let row = client.execution(&id);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("PENDING"), &json!(0)), "{row}");
    // Set anew it can be read, and all goes on.
    assert_eq!(client.put("/api/secrets/key", &json!({ "value": PLANTED })).status, 200);
    let row = client.finished(&id, SOON);
    assert_eq!((&row["result"], &row["attempt"]), (&json!(PLANTED.len()), &json!(1)), "{row}");
    supervisor.wait_ready(SOON);
    assert!(supervisor.terminate(SOON).success());
}
