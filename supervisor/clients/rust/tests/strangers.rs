//! What answers at the address is not always a supervisor, and sometimes nothing does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use muster_client::{MusterClient, MusterError, NewExecution};
use uuid::Uuid;

/// Answers every question alike; the address, and the heads of the questions.
fn stranger(status: &'static str, body: String) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heads, asked) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let begun = head.len();
                if stream.read_line(&mut head).unwrap() == 0 {
                    break;
                }
                let line = head.get(begun..).unwrap_or_default().to_lowercase();
                length =
                    line.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().unwrap());
            }
            std::io::copy(&mut std::io::Read::take(&mut stream, length), &mut std::io::sink()).unwrap();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            if stream.get_mut().write_all(answer.as_bytes()).is_err() || heads.send(head).is_err() {
                return;
            }
        }
    });
    (url, asked)
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("muster-client-{}", Uuid::now_v7()));
    fs::create_dir(&folder).unwrap();
    folder
}

fn private(path: &Path) -> String {
    fs::write(path, "secret-word\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What is shown to whoever answers with this status and names this file.
fn shown_to(status: &'static str, file: &str) -> Vec<String> {
    let (url, asked) = stranger(status, format!(r#"{{"detail":"who are you","token_file":"{file}"}}"#));
    let client = MusterClient::new(&url).unwrap();
    client.get(Uuid::now_v7()).unwrap_err();
    asked.try_iter().filter(|head| head.to_lowercase().contains("bearer secret-word")).collect()
}

#[test]
fn only_the_file_of_a_token_can_be_asked_out_of_us() {
    let folder = folder();
    let (other, token) = (private(&folder.join(".vault-token")), private(&folder.join("http_token")));
    assert_eq!(shown_to("401 Unauthorized", &other), Vec::<String>::new());
    assert_eq!(shown_to("404 Not Found", &token), Vec::<String>::new());
    assert_eq!(shown_to("401 Unauthorized", &token).len(), 1);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn who_waits_for_a_moment_is_told_after_it_that_nobody_answers() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client =
        MusterClient::new(&format!("http://{closed}")).unwrap().with_patience(Duration::from_secs(60));
    let began = Instant::now();
    let error = client.wait(Uuid::now_v7(), Some(Duration::from_millis(300))).unwrap_err();
    assert!(matches!(error, MusterError::Unavailable { .. }), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(300) && began.elapsed() < Duration::from_secs(30));
}

#[test]
fn who_waits_for_a_moment_is_told_soon_after_it_that_somebody_is_silent() {
    // It takes connections, as one that was stopped does, and answers none.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let client =
        MusterClient::new(&format!("http://{}", silent.local_addr().unwrap())).unwrap().with_token("secret");
    let began = Instant::now();
    let told =
        client.with_patience(Duration::from_secs(60)).wait(Uuid::now_v7(), Some(Duration::from_millis(300)));
    assert!(told.is_err());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn an_answer_that_leaves_some_out_is_no_supervisors() {
    let (url, _asked) = stranger("202 Accepted", r#"{"executions":[]}"#.to_owned());
    let client = MusterClient::new(&url).unwrap().with_token("word");
    let error = client.submit_many(&[NewExecution::of("greet", &()).unwrap()]).unwrap_err();
    assert!(matches!(error, MusterError::Foreign(_)), "{error}");
}
