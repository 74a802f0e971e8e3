//! The worker as a command-line program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "a test starts the worker without a supervisor")]

mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::examples;

fn worker(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(arguments)
        .env_remove("MUSTER_PROTOCOL")
        .env("MUSTER_WORKFLOWS_DIR", examples())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Serves a supervisor that says this.
fn serve(says: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    let command = command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(says.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn result(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn run_prints_the_result_on_stdout_and_the_log_on_stderr() {
    let output = worker(&["run", "hello", "--params", "{\"name\":\"Ada\"}"]);
    assert_eq!(text(&output.stdout), "{\"greeting\":\"Hello, Ada!\"}\n");
    assert!(text(&output.stderr).contains("info  greeting Ada  attempt=1"), "{}", text(&output.stderr));
}

#[test]
fn params_come_from_files_and_stdin_and_must_be_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.json");
    std::fs::write(&file, "{\"name\":\"File\"}").unwrap();
    let at = format!("@{}", file.display());
    assert_eq!(result(&worker(&["run", "hello", "--params", &at])), json!({ "greeting": "Hello, File!" }));

    let output = worker(&["run", "hello", "--params", "{name}"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--params from the command line is not JSON"));
    let output = worker(&["run", "hello", "--params", "@nowhere.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nowhere.json: cannot be read"));
}

#[test]
fn a_failure_is_1_with_its_stack_and_a_timeout_124() {
    let output = worker(&["run", "broken"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("error  InvoiceError: the invoice is not JSON"), "{stderr}");
    assert!(stderr.contains("broken.js:") && stderr.contains("Caused by: SyntaxError"), "{stderr}");

    let began = Instant::now();
    let output = worker(&["run", "forever", "--timeout", "0.2"]);
    assert_eq!(output.status.code(), Some(124), "{}", text(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(text(&output.stderr).contains("timed out: after 0.2 s"), "{}", text(&output.stderr));

    let output = worker(&["run", "helo"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("near names: hello"));
}

#[test]
fn config_and_state_are_what_the_command_line_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("try.js");
    let code = "export default async (p, ctx) => {
        await ctx.state.set('b', 2); await ctx.state.delete('a');
        return [await ctx.config.get('region'), await ctx.config.get('none'), await ctx.state.get('a'),
                await ctx.state.get('b'), (await ctx.submit('other', { n: 1 })).execution_id.length, ctx.workflow.name]
    }";
    std::fs::write(&file, code).unwrap();
    let output =
        worker(&["run", "--code", file.to_str().unwrap(), "--config", "region=eu", "--state", "a=1"]);
    assert_eq!(result(&output), json!(["eu", null, null, 2, 36, "try.js"]));
    assert!(text(&output.stderr).contains("state  b = 2"));

    let given = folder.path().join("given.json");
    std::fs::write(&given, "{\"region\": \"us\", \"a\": 7}").unwrap();
    let at = format!("@{}", given.display());
    let arguments = ["run", "--code", file.to_str().unwrap(), "--config", &at, "--config", "region=eu"];
    assert_eq!(result(&worker(&arguments))[0], json!("eu"), "the last one counts");
    assert_eq!(result(&worker(&arguments[..5]))[0], json!("us"));
    let found = folder.path().join("found.js");
    std::fs::write(&found, "export default (p, ctx) => ctx.state.get('a')").unwrap();
    assert_eq!(result(&worker(&["run", "--code", found.to_str().unwrap(), "--state", &at])), json!(7));
    std::fs::write(&given, "[1]").unwrap();
    for (given, says) in [(at.as_str(), "must hold a JSON object"), ("@/nowhere.json", "cannot be read")] {
        let output = worker(&["run", "--code", file.to_str().unwrap(), "--config", given]);
        assert_eq!(output.status.code(), Some(2), "{given}");
        assert!(text(&output.stderr).contains(says), "{given}: {}", text(&output.stderr));
    }
}

#[test]
fn list_names_the_workflows() {
    let output = worker(&["list"]);
    let stdout = text(&output.stdout);
    for name in ["broken", "counter", "forever", "hello", "pages", "transform"] {
        assert!(stdout.contains(&format!("{name}.js")), "{stdout}");
    }
    let output = worker(&["list", "--workflows-dir", "/nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--workflows-dir DIR"));
}

/// Runs a program that has workflows of its own in a folder that holds nothing.
fn in_empty_folder(program: &Path, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    command.env_remove("MUSTER_PROTOCOL").env_remove("MUSTER_WORKFLOWS_DIR");
    command.env("MUSTER_CONFORMANCE", "1").output().unwrap()
}

#[test]
fn what_is_built_in_needs_no_folder_of_workflows() {
    let worker = Path::new(env!("CARGO_BIN_EXE_worker"));
    let rust_worker = worker.with_file_name("examples").join("rust_worker");
    let output = in_empty_folder(&rust_worker, &["list"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).lines().any(|line| line.starts_with("primes ")), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
    let output = in_empty_folder(&rust_worker, &["run", "primes", "--params", "{\"below\": 10}"]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("4\n", ""));
    // No folder would help.
    let output = in_empty_folder(&rust_worker, &["run", "prime"]);
    assert!(text(&output.stderr).contains("near names: primes"), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("folder"), "{}", text(&output.stderr));

    // One that also runs files says what is missing where that matters.
    let output = in_empty_folder(worker, &["run", "conformance.echo", "--params", "7"]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("7\n", ""));
    let output = in_empty_folder(worker, &["run", "hello"]);
    assert!(text(&output.stderr).contains("--workflows-dir DIR"), "{}", text(&output.stderr));
    let output = in_empty_folder(worker, &["list"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("conformance.echo"));
    assert!(text(&output.stderr).contains("--workflows-dir DIR"), "{}", text(&output.stderr));
}

#[test]
fn bad_command_lines_are_refused_with_help() {
    let output = worker(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    let output = worker(&["run", "hello", "--timeout", "soon"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("a number of seconds above 0"));
    let output = worker(&["serve"]);
    assert_eq!(output.status.code(), Some(0), "the end of stdin is no fault");
    let output = serve("stray text\n");
    assert_eq!(output.status.code(), Some(65));
    assert!(text(&output.stderr).contains("stray bytes on the worker's stdin"), "{}", text(&output.stderr));
    let output = worker(&[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("worker run hello"));
    let serving = Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg("--frobnicate")
        .env("MUSTER_PROTOCOL", "1")
        .output()
        .unwrap();
    assert_eq!(serving.status.code(), Some(64));
}
