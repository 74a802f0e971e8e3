//! Commands, their arguments and flags, from the help of the binaries; and the keys of the settings.

use std::path::Path;
use std::process::Command;

use muster_tests::{Installation, binaries};

use crate::{Names, compare};

/// How far a flag is indented at most. What is deeper is a description.
const FLAG_INDENT_MAX: usize = 6;

#[test]
fn the_supervisors_commands() {
    compare("supervisor.txt", &commands_of(&binaries::supervisor(), "supervisor"));
}

#[test]
fn the_workers_commands() {
    compare("worker.txt", &commands_of(&binaries::worker(), "worker"));
}

#[test]
fn the_settings() {
    let output = Installation::new().run(&["config", "--json"]);
    let settings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    compare("settings.txt", &settings.as_object().unwrap().keys().cloned().collect());
}

fn commands_of(program: &Path, name: &str) -> Names {
    let mut names = Names::new();
    let mut left = vec![Vec::new()];
    while let Some(words) = left.pop() {
        let help = help(program, &words);
        let command = [&[name.to_owned()], &words[..]].concat().join(" ");
        names.insert(command.clone());
        let mut section = "";
        for line in help.lines() {
            let text = line.trim_start();
            if line.len() == text.len() {
                section = text;
                continue;
            }
            let indent = line.len() - text.len();
            let word = text.split("  ").next().unwrap_or_default();
            match section {
                "Commands:" if indent == 2 && word != "help" => {
                    left.push([&words[..], &[word.to_owned()]].concat());
                }
                "Arguments:" if indent == 2 => drop(names.insert(format!("{command} {word}"))),
                "Examples:" => {}
                _ if indent <= FLAG_INDENT_MAX && word.starts_with('-') => {
                    names.extend(flags(word).into_iter().map(|flag| format!("{command} {flag}")));
                }
                _ => {}
            }
        }
    }
    names
}

/// `-o, --out <FILE>` is `-o VALUE` and `--out VALUE`: what stands for the value is no name.
fn flags(word: &str) -> Vec<String> {
    let (flags, value) = match word.split_once(['<', '[']) {
        Some((flags, _)) => (flags, " VALUE"),
        None => (word, ""),
    };
    flags.split(',').map(|flag| format!("{}{value}", flag.trim())).collect()
}

fn help(program: &Path, words: &[String]) -> String {
    let output = Command::new(program).args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "{words:?} --help");
    String::from_utf8(output.stdout).unwrap()
}
