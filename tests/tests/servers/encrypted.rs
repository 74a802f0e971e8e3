//! Servers that speak TLS only, with a certificate of a private authority, and want ours.

use std::time::Duration;

use muster_tests::{Installation, Services, eventually};
use serde_json::{Value, json};

use crate::world::SOON;

const ECHO: &str = "export default async (params) => params;\n";
const SERVERS: [&str; 3] = ["database", "rabbitmq", "redis"];

/// An installation on these servers, with these of the three certificates.
fn installation(services: &Services, certificates: &[(&str, &str)]) -> Installation {
    let bare = Installation::new().backends(&services.defaults()).workflow("echo.js", ECHO);
    certificates
        .iter()
        .fold(bare, |installation, (setting, file)| installation.setting(setting, services.certificate(file)))
}

/// What a command writes.
fn written(installation: &Installation, arguments: &[&str]) -> String {
    String::from_utf8(installation.run(arguments).stdout).unwrap()
}

/// What doctor says of each of the three servers.
fn findings(installation: &Installation) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&written(installation, &["doctor", "--json"])).unwrap();
    let all = report["findings"].as_array().unwrap();
    let of = |server| {
        all.iter().find(|finding| finding["check"] == server).unwrap_or_else(|| panic!("{report:#}"))
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    SERVERS.map(|server| (text(&of(server)["verdict"]), text(&of(server)["seen"]))).into()
}

#[test]
fn servers_of_a_private_authority_are_verified_and_verify_us() {
    let services = Services::with_tls();
    let all = [("tls_ca_file", "ca.pem"), ("tls_cert_file", "client.pem"), ("tls_key_file", "client.key")];
    let installed = installation(&services, &all);
    let supervisor = installed.start();
    let client = supervisor.client();
    supervisor.wait_ready(SOON);
    let id = written(&installed, &["submit", "echo", "--params", r#"{"number": 1}"#, "--amqp"]);
    // From the queue it becomes a row once it is claimed.
    let path = format!("/api/executions/{}", id.trim());
    eventually("it is claimed", SOON, || client.try_get(&path).is_some_and(|answer| answer.status == 200));
    let row = client.finished(id.trim(), SOON);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!({ "number": 1 })), "{row}");
    for (verdict, seen) in findings(&installed) {
        assert_eq!(verdict, "ok", "{seen}");
        assert!(seen.ends_with("encrypted and verified as localhost"), "{seen}");
    }
    assert!(supervisor.terminate(Duration::from_secs(20)).success());

    for (verdict, seen) in findings(&installation(&services, &all[..1])) {
        assert_eq!(verdict, "fail", "a server that wants our certificate: {seen}");
    }
    for (verdict, seen) in findings(&installation(&services, &all[1..])) {
        // PostgreSQL is not verified where nobody asked for it.
        assert!(
            verdict == "fail" || seen.ends_with("encrypted and NOT verified"),
            "an unknown authority: {seen}"
        );
    }
}
