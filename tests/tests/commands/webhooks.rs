//! Webhooks by command: they are listed, changed, removed, and what cannot be is refused.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

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

/// A receiver that was taken for the supervisor would be shown the token.
#[test]
fn a_receiver_in_the_place_of_the_supervisor_is_shown_no_token() {
    let installation = installed();
    let _supervisor = installation.start();
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", receiver.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let mut heard = String::new();
        for connection in receiver.incoming() {
            let (mut connection, mut buffer) = (connection.unwrap(), [0; 4096]);
            let read = connection.read(&mut buffer).unwrap();
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            if request.starts_with("STOP") {
                break;
            }
            heard += &request;
            connection
                .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
                .unwrap();
        }
        heard
    });
    let set = ["webhook", "set", "ops", "--url", &url, "--token", "hidden", "--event", "FAILED"];
    let said = run(&installation, &set);
    let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/hook")).unwrap();
    std::net::TcpStream::connect(address).unwrap().write_all(b"STOP").unwrap();
    let heard = heard.join().unwrap();
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(
        said.err.contains(&format!(
            "is no supervisor, whose address --url is: if it is the webhook's receiver, say --to {url}"
        )),
        "{}",
        said.err
    );
    assert!(!heard.is_empty() && !heard.contains("hidden"), "{heard}");

    // The supervisor's own address is one.
    assert_eq!(run(&installation, &["webhook", "set", "ops", "--to", &url]).code, 0);
    let paused =
        run(&installation, &["webhook", "set", "ops", "--url", &installation.url(), "--paused", "true"]);
    assert_eq!(paused.code, 0, "{}", paused.err);
}
