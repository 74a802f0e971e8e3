//! What users write passes through the supervisor as they wrote it, or is refused where it comes in.

use muster_tests::Installation;

const WORKER: &str = include_str!("text_worker.py");

/// Runs the lines and gives the lines that came out, as text.
fn batch(lines: &[String]) -> Vec<String> {
    let installation = Installation::new().worker(["python3", "-c", WORKER]);
    let file = installation.path("batch.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let output = installation.run(&["batch", "--keep-going", &file.to_string_lossy()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let results: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(results.len(), lines.len(), "{}", String::from_utf8_lossy(&output.stderr));
    results
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn parameters_and_results_are_the_same_bytes_in_every_attempt() {
    let texts = [
        r#"{"zz":12345678901234567890123,"aa":106.18129360834155, "zz":1E22}"#.to_owned(),
        "-0.0".to_owned(),
        "[1e400, 1.50]".to_owned(),
        r#""\u00e9\/é""#.to_owned(),
        format!("1{}", "0".repeat(400)),
        nested(500),
    ];
    let line = |workflow: &str, text: &String| {
        format!(
            r#"{{"workflow":"{workflow}","max_attempts":2,"retry_backoff_seconds":0.01,"params":{text}}}"#
        )
    };
    let lines: Vec<_> = ["echo", "second"]
        .iter()
        .flat_map(|workflow| texts.iter().map(move |text| line(workflow, text)))
        .collect();
    for (result, text) in batch(&lines).iter().zip(texts.iter().chain(&texts)) {
        assert!(result.contains(&format!(r#""status":"SUCCESS","result":{text},"#)), "{text}: {result}");
    }
}

#[test]
fn children_with_values_no_tree_holds_stop_nothing() {
    let caller = r#"{"n":12345678901234567890123,"huge":1e400}"#;
    let mut lines = Vec::new();
    for text in [nested(500), format!("1{}", "0".repeat(400)), "1e400".to_owned(), "null".to_owned()] {
        lines.push(format!(r#"{{"workflow":"parent","params":{text},"caller":{caller}}}"#));
    }
    lines.push(format!(r#"{{"workflow":"parent","params":{}}}"#, nested(500)));
    for result in batch(&lines) {
        assert!(result.contains(r#""status":"SUCCESS","result":{"Ok""#), "{result}");
    }
}

#[test]
fn what_is_out_of_bounds_is_refused_with_its_path() {
    let cases = [
        (nested(999), "is nested more than 512 deep"),
        (
            r#"{"items":[{"price":1e100000}]}"#.to_owned(),
            "params.items[0].price: is a number with an exponent",
        ),
        (r#"{"n":"a\u0000"}"#.to_owned(), "params.n: holds the character U+0000"),
        (r#"["\ud83d"]"#.to_owned(), "params[0]: holds half of a surrogate pair"),
    ];
    let lines: Vec<_> =
        cases.iter().map(|(text, _)| format!(r#"{{"workflow":"echo","params":{text}}}"#)).collect();
    for (result, (_, reason)) in batch(&lines).iter().zip(&cases) {
        assert!(result.contains("InvalidRequest") && result.contains(reason), "{reason}: {result}");
    }
}
