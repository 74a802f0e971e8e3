//! `fetch` against a small server of this test's own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muster_protocol::CancelReason;
use serde_json::{Value, json};
use support::examples;
use support::start::Start;

struct Request {
    line: String,
    headers: String,
    body: String,
}

/// Answers every request with what the function gives: status line and body. `None` never answers.
fn serve(answer: impl Fn(&Request) -> Option<(String, String)> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || connection(&stream, &*answer));
        }
    });
    address
}

fn connection(stream: &TcpStream, answer: &dyn Fn(&Request) -> Option<(String, String)>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = Request { line: String::new(), headers: String::new(), body: String::new() };
        if reader.read_line(&mut request.line).unwrap_or(0) == 0 {
            return;
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 || header == "\r\n" {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            request.headers.push_str(&header.to_ascii_lowercase());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        request.body = String::from_utf8(body).unwrap();
        let Some((status, body)) = answer(&request) else {
            std::thread::sleep(Duration::from_secs(30));
            return;
        };
        let mut to = stream;
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nX-Test: Yes\r\n", body.len());
        if to.write_all(format!("{head}\r\n{body}").as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_request_goes_out_as_it_was_asked_and_its_answer_comes_back() {
    let url = serve(|request| {
        let echo = json!({ "line": request.line.trim(), "headers": request.headers, "body": request.body });
        Some(("201 Created".to_owned(), echo.to_string()))
    });
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async ({ url }) => {
        const response = await fetch(url + '/a?b=c', { method: 'post', headers: { 'X-One': '1' }, body: JSON.stringify({ ä: 1 }) });
        const { status, ok, statusText } = response;
        return { status, ok, statusText, test: response.headers.get('x-TEST'), none: response.headers.get('none'), echo: await response.json() };
    }";
    let result = peer.inline(code, &json!({ "url": url })).result();
    assert_eq!(result["status"], 201);
    assert_eq!(result["ok"], true);
    assert_eq!(result["test"], "Yes");
    assert_eq!(result["none"], Value::Null);
    assert_eq!(result["echo"]["line"], "POST /a?b=c HTTP/1.1");
    assert_eq!(result["echo"]["body"], "{\"ä\":1}");
    assert!(result["echo"]["headers"].as_str().unwrap().contains("x-one: 1"), "{result}");
}

#[test]
fn many_requests_run_at_once_and_bytes_stay_bytes() {
    let url = serve(|request| Some(("404 Not Found".to_owned(), request.line.clone())));
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async ({ url }) => {
        const all = await Promise.all(Array.from({ length: 50 }, (_, i) => fetch(`${url}/${i}`)));
        const texts = await Promise.all(all.map(async (r) => new TextDecoder().decode(await r.arrayBuffer())));
        return [all.every((r) => r.status === 404 && !r.ok), texts.every((t, i) => t.startsWith(`GET /${i} `))];
    }";
    assert_eq!(peer.inline(code, &json!({ "url": url })).result(), json!([true, true]));
}

#[test]
fn the_pages_example_collects_all_pages_although_the_server_stumbles() {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let url = serve(move |request| {
        if seen.fetch_add(1, Ordering::Relaxed) % 3 == 1 {
            return Some(("503 Service Unavailable".to_owned(), "busy".to_owned()));
        }
        let number = |name: &str| -> usize {
            let rest = request.line.split(name).nth(1).unwrap();
            rest[1..].split(['&', ' ']).next().unwrap().parse().unwrap()
        };
        let (offset, limit) = (number("offset"), number("limit"));
        let items: Vec<Value> = (offset..(offset + limit).min(105)).map(|id| json!({ "id": id })).collect();
        Some(("200 OK".to_owned(), json!({ "items": items, "total": 105 }).to_string()))
    });
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let seen = peer.run("pages", &json!({ "url": format!("{url}/records"), "limit": 25, "pause_ms": 1 }));
    let result = seen.result();
    assert_eq!((&result["count"], &result["last"]), (&json!(105), &json!({ "id": 104 })));
    assert_eq!(seen.progress.last().map(|last| (last.0, last.1)), Some((105, 105)));
    assert!(seen.messages().iter().any(|line| line.contains("answered 503")), "{:?}", seen.messages());

    let seen = peer.run("pages", &json!({ "url": "http://127.0.0.1:1/", "attempts": 2, "pause_ms": 1 }));
    assert!(seen.error().message.starts_with("gave up on http://127.0.0.1:1/"), "{:?}", seen.error());
    assert!(seen.error().stack.contains("Caused by: TypeError: fetch failed"), "{:?}", seen.error());
}

#[test]
fn a_cancel_aborts_a_request_that_hangs_and_so_does_a_signal() {
    let url = serve(|_| None);
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default async ({ url }) => {
        try { await fetch(url, { signal: AbortSignal.timeout(20) }) } catch (error) { console.log(error.name) }
        await fetch(url);
    }";
    let run = peer.start_inline(code, &json!({ "url": url }), 0);
    peer.wait_started(run);
    match peer.next() {
        muster_protocol::ToSupervisor::Log { records, .. } => assert_eq!(records[0].message, "TimeoutError"),
        other => panic!("{other:?}"),
    }
    peer.cancel(run, CancelReason::User);
    loop {
        match peer.next() {
            muster_protocol::ToSupervisor::Finished { outcome, .. } => {
                assert!(matches!(outcome, muster_protocol::RunOutcome::Cancelled { .. }), "{outcome:?}");
            }
            muster_protocol::ToSupervisor::Idle { .. } => break,
            _ => {}
        }
    }
}

#[test]
fn addresses_and_encodings_work_as_on_the_web() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    let code = "export default () => {
        const url = new URL('../b?x=1&x=2#h', 'HTTPS://User:pw@Example.com:443/a/c/d');
        url.searchParams.append('q', 'a b&ä');
        return [url.href, url.host, url.searchParams.getAll('x'), btoa('hello'), atob('aGVsbG8='),
            [...new TextEncoder().encode('ä')], new URLSearchParams({ a: '1 2' }).toString()];
    }";
    assert_eq!(
        peer.inline(code, &json!({})).result(),
        json!([
            "https://User:pw@example.com/a/b?x=1&x=2&q=a+b%26%C3%A4#h",
            "example.com",
            ["1", "2"],
            "aGVsbG8=",
            "hello",
            [195, 164],
            "a=1+2"
        ])
    );
    peer.inline("export default () => new URL('no base')", &json!({})).error();
}

#[test]
fn neither_the_api_nor_a_link_local_address_is_reached_directly_through_a_name_or_a_redirect() {
    let api = serve(|_| Some(("200 OK".to_owned(), "the API".to_owned())));
    let address = api.trim_start_matches("http://").to_owned();
    let (port, behind) = (address.split_once(':').unwrap().1.to_owned(), address.clone());
    let elsewhere = serve(move |request| {
        let to = request.line.split_once('?').unwrap().1.split(' ').next().unwrap().to_owned();
        Some((format!("302 Found\r\nLocation: http://{to}/"), behind.clone()))
    });
    let examples = examples();
    let start = Start { api_address: Some(&address), ..Start::in_folder(&examples) };
    let mut peer = start.ready();
    let code = "export default async ({ url }) => (await fetch(url)).status";
    let mapped = format!("http://[::ffff:127.0.0.1]:{port}/");
    for url in [
        format!("http://{address}/"),
        format!("http://localhost:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://2130706433:{port}/"),
        mapped,
        format!("{elsewhere}/?{address}"),
    ] {
        let seen = peer.inline(code, &json!({ "url": url }));
        let message = &seen.error().message;
        assert!(message.contains("it is the supervisor's API"), "{url}: {message}");
    }
    for url in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[::ffff:169.254.169.254]/".to_owned(),
        "http://[fe80::1]/".to_owned(),
        format!("{elsewhere}/?169.254.169.254"),
    ] {
        let seen = peer.inline(code, &json!({ "url": url }));
        let message = &seen.error().message;
        assert!(
            message.contains("a workflow may not go to") && message.contains("link-local"),
            "{url}: {message}"
        );
    }
    // A neighbour on the same machine is no concern of ours.
    let neighbour = serve(|_| Some(("200 OK".to_owned(), String::new())));
    assert_eq!(peer.inline(code, &json!({ "url": neighbour })).result(), 200);
}

#[test]
fn a_proxy_is_not_asked_for_what_is_refused() {
    let (requests, api) = (Arc::new(AtomicUsize::new(0)), "127.0.0.1:7420");
    let seen = Arc::clone(&requests);
    let proxy = serve(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        Some(("200 OK".to_owned(), String::new()))
    });
    let examples = examples();
    let env = [("http_proxy", proxy.as_str()), ("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "")];
    let mut peer = Start { env: &env, api_address: Some(api), ..Start::in_folder(&examples) }.ready();
    let code = "export default async ({ url }) => (await fetch(url)).status";
    for url in ["http://169.254.169.254/", "http://127.0.0.1:7420/", "http://localhost:7420/"] {
        let seen = peer.inline(code, &json!({ "url": url }));
        assert!(seen.error().message.contains("a workflow may not go to"), "{url}: {:?}", seen.error());
    }
    assert_eq!(requests.load(Ordering::Relaxed), 0);
}
