//! What receivers of webhooks get, and what one that does not answer costs the others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use muster_tests::{Installation, eventually};

use crate::{installed, json, run, run_with};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const SIGNING: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const SOON: Duration = Duration::from_secs(30);
/// A receiver may take so long for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// A receiver that takes what it is sent, and answers if it is one that does; the connections that it has.
struct HookReceiver {
    address: String,
    connections: Receiver<TcpStream>,
}

fn receiver(answers: bool) -> HookReceiver {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, connections) = channel();
    std::thread::spawn(move || accept(&listener, answers, &sender));
    HookReceiver { address, connections }
}

fn accept(listener: &TcpListener, answers: bool, sender: &Sender<TcpStream>) {
    for connection in listener.incoming() {
        let mut connection = connection.unwrap();
        if answers {
            let mut head = BufReader::new(connection.try_clone().unwrap());
            let mut line = String::new();
            while head.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            connection.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
        }
        if sender.send(connection).is_err() {
            return;
        }
    }
}

fn told(installation: &Installation, name: &str, address: &str) {
    assert_eq!(run(installation, &["webhook", "set", name, "--to", address]).code, 0);
    let secret = run_with(installation, &["secret", "set", &format!("webhook.{name}")], SIGNING);
    assert_eq!(secret.code, 0, "{}", secret.err);
}

fn delivered(installation: &Installation, name: &str) -> usize {
    let asked = ["webhook", "deliveries", "--webhook", name, "--state", "delivered", "--json"];
    json(installation, &asked)["deliveries"].as_array().unwrap().len()
}

fn submitted(installation: &Installation, times: usize) {
    for _ in 0..times {
        assert_eq!(run(installation, &["submit", "echo", "--wait"]).code, 0);
    }
}

#[test]
fn receivers_that_do_not_answer_hold_nobody_else_up() {
    let installation = installed().setting("secret_key", KEY).setting("webhook_allow_private", "true");
    let _supervisor = installation.start();
    let hanging: Vec<_> = (0..8).map(|_| receiver(false)).collect();
    for (number, one) in hanging.iter().enumerate() {
        told(&installation, &format!("hanging-{number}"), &one.address);
    }
    // Each of them has something to tell and keeps it, as many as there are slots.
    submitted(&installation, 10);
    let held = |one: &HookReceiver| one.connections.try_iter().count();
    let mut counts = vec![0; hanging.len()];
    eventually("each of them keeps some waiting", SOON, || {
        for (count, one) in counts.iter_mut().zip(&hanging) {
            *count += held(one);
        }
        counts.iter().all(|count| *count >= 4)
    });
    let answering = receiver(true);
    told(&installation, "answering", &answering.address);
    let begun = Instant::now();
    submitted(&installation, 3);
    eventually("the one that answers is told", SOON, || delivered(&installation, "answering") == 3);
    assert!(begun.elapsed() < ANSWER_WITHIN / 2, "{:?}", begun.elapsed());
    assert_eq!(answering.connections.try_iter().count(), 3);
}

#[test]
fn who_a_request_names_is_told_what_it_came_to() {
    let installation = installed().setting("secret_key", KEY).setting("webhook_allow_private", "true");
    let _supervisor = installation.start();
    let secret = run_with(&installation, &["secret", "set", "webhook.request"], SIGNING);
    assert_eq!(secret.code, 0, "{}", secret.err);
    let answering = receiver(true);
    let to = ["--webhook", &answering.address];
    let submit = |arguments: &[&str]| run(&installation, &[&["submit", "--wait"], arguments, &to].concat());
    assert_eq!(submit(&["echo"]).code, 0);
    assert_eq!(submit(&["echo", "--webhook-event", "FAILED"]).code, 0);
    assert_ne!(submit(&["throw", "--webhook-event", "FAILED"]).code, 0);
    eventually("both are told", SOON, || delivered(&installation, "request") == 2);
    assert_eq!(answering.connections.try_iter().count(), 2);
    // A batch of lines, with what is wrong told to whoever wrote it.
    let line = format!(r#"{{"workflow":"echo","webhook":{{"url":"{}"}}}}"#, answering.address);
    let batch = run_with(&installation, &["submit", "--from", "-"], &format!("{line}\n{line}\n"));
    assert_eq!(batch.code, 0, "{}", batch.err);
    eventually("those of the batch, too", SOON, || delivered(&installation, "request") == 4);
    for (arguments, problem) in [
        (["--webhook", "ftp://example.com", "--webhook-event", "FAILED"], "must be an http or https address"),
        (
            ["--webhook", "https://example.com", "--webhook-event", "RUNNING"],
            "nothing that an execution comes to",
        ),
    ] {
        let wrong = run(&installation, &[&["submit", "echo"], &arguments[..]].concat());
        assert!(wrong.code != 0 && wrong.err.contains(problem), "{}", wrong.err);
    }
    let reserved = run(&installation, &["webhook", "set", "request", "--to", "https://example.com"]);
    assert!(reserved.code != 0 && reserved.err.contains("requests ask for"), "{}", reserved.err);
}
