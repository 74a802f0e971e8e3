//! The launchers there are, and how each is told to start a worker.

use std::path::Path;
use std::process::Command;

/// A program that starts another.
#[derive(Debug)]
pub(crate) struct Launcher {
    pub(crate) name: &'static str,
    /// The program whose version counts; the first word of the command.
    program: &'static str,
    /// What prints its version, and what is in it: two programs may have one name.
    version: &'static [&'static str],
    known_by: &'static str,
    /// The words before the worker's own. `{}` stands for the worker's command in one word, for a shell.
    words: &'static [&'static str],
    /// Files that the folder it is started in must have: name, text. `{}` as above, escaped for JSON.
    files: &'static [(&'static str, &'static str)],
    /// It needs rights that a confined worker has not.
    pub(crate) needs_rights: bool,
    /// It ends before its program does.
    pub(crate) leaves: bool,
    /// It is of Debian's base system.
    pub(crate) is_always_there: bool,
}

const fn base(name: &'static str, program: &'static str, words: &'static [&'static str]) -> Launcher {
    Launcher {
        name,
        program,
        version: &["--version"],
        known_by: "",
        words,
        files: &[],
        needs_rights: false,
        leaves: false,
        is_always_there: true,
    }
}

const fn extra(name: &'static str, program: &'static str, words: &'static [&'static str]) -> Launcher {
    Launcher { is_always_there: false, ..base(name, program, words) }
}

const SCRIPT: &[(&str, &str)] =
    &[("package.json", "{ \"name\": \"jobs\", \"version\": \"1.0.0\", \"scripts\": { \"worker\": {} } }")];
const PYPROJECT: &[(&str, &str)] =
    &[("pyproject.toml", "[project]\nname = \"jobs\"\nversion = \"1.0.0\"\nrequires-python = \">=3.9\"\n")];

/// All that are looked at.
pub(crate) const LAUNCHERS: &[Launcher] = &[
    base("none", "", &[]),
    base("sh -c", "sh", &["sh", "-c", "{}"]),
    base("bash -c", "bash", &["bash", "-c", "{}"]),
    base("bash -c '…; exit $?'", "bash", &["bash", "-c", "{}; exit $?"]),
    base("env", "env", &["env", "JOBS=1"]),
    base("nice", "nice", &["nice", "-n", "1"]),
    base("timeout", "timeout", &["timeout", "600"]),
    base("setpriv", "setpriv", &["setpriv", "--inh-caps=-all"]),
    Launcher { needs_rights: true, ..base("runuser", "runuser", &["runuser", "-u", "root", "--"]) },
    Launcher { needs_rights: true, ..base("su", "su", &["su", "root", "-c", "{}"]) },
    Launcher { leaves: true, ..base("setsid", "setsid", &["setsid"]) },
    base("setsid --wait", "setsid", &["setsid", "--wait"]),
    base("unshare --fork", "unshare", &["unshare", "--fork"]),
    extra("tini", "tini", &["tini", "--"]),
    Launcher { files: SCRIPT, ..extra("npm run", "npm", &["npm", "run", "--silent", "worker"]) },
    Launcher { files: SCRIPT, ..extra("npx", "npx", &["npx", "--no", "-c", "{}"]) },
    Launcher { files: SCRIPT, ..extra("yarn run", "yarn", &["yarn", "run", "--silent", "worker"]) },
    Launcher { files: SCRIPT, ..extra("pnpm run", "pnpm", &["pnpm", "--silent", "run", "worker"]) },
    Launcher { files: &[(".env", "JOBS=1\n")], ..extra("env-cmd", "env-cmd", &["env-cmd"]) },
    Launcher {
        known_by: "dotenv, version",
        files: &[(".env", "JOBS=1\n")],
        ..extra("dotenv run", "dotenv", &["dotenv", "run", "--"])
    },
    Launcher {
        version: &["--help"],
        known_by: "[--debug]",
        files: &[(".env", "JOBS=1\n")],
        ..extra("dotenv --", "dotenv", &["dotenv", "--"])
    },
    Launcher { files: PYPROJECT, ..extra("uv run", "uv", &["uv", "run", "--offline", "--no-sync", "--"]) },
    Launcher { files: &[("Pipfile", "")], ..extra("pipenv run", "pipenv", &["pipenv", "run"]) },
    Launcher { files: PYPROJECT, ..extra("poetry run", "poetry", &["poetry", "run"]) },
];

/// A word that a shell takes as it stands.
fn quoted(words: &[String]) -> String {
    shell_words::join(words)
}

impl Launcher {
    /// What it says of its version, in one line. `None`: it is not installed.
    pub(crate) fn version(&self) -> Option<String> {
        if self.program.is_empty() {
            return Some(String::new());
        }
        let output = Command::new(self.program).args(self.version).output().ok()?;
        let text =
            String::from_utf8_lossy(if output.stdout.is_empty() { &output.stderr } else { &output.stdout });
        if !text.contains(self.known_by) {
            return None;
        }
        let number = text.split([' ', '\n', ',']).find(|word| {
            let word = word.trim_start_matches('v');
            word.starts_with(|letter: char| letter.is_ascii_digit()) && word.contains('.')
        });
        // dash says nothing of its own.
        Some(number.unwrap_or("").trim_start_matches('v').to_owned())
    }

    /// The command that starts this worker through it, from a folder that it makes ready.
    pub(crate) fn command(&self, folder: &Path, worker: &[String]) -> Vec<String> {
        for (name, text) in self.files {
            let text = text.replace("{}", &serde_json::to_string(&quoted(worker)).unwrap());
            std::fs::write(folder.join(name), text).unwrap();
        }
        let takes_a_word = self.words.iter().any(|word| word.contains("{}")) || self.files == SCRIPT;
        let mut words: Vec<String> =
            self.words.iter().map(|word| word.replace("{}", &quoted(worker))).collect();
        if !takes_a_word {
            words.extend(worker.iter().cloned());
        }
        words
    }
}
