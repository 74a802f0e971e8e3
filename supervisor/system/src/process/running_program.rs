//! A program that runs, as it was started: enough to start it once more by itself.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::Launch;
use super::mark::MARK_ENV;

/// What a process was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningProgram {
    words: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    program: PathBuf,
}

impl RunningProgram {
    /// The program of a process; `None` when it is gone, or closed to us.
    pub fn read(pid: u32) -> Option<Self> {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).ok();
        let words = strings(&read("cmdline")?);
        let variables = strings(&read("environ")?).into_iter().filter_map(|variable| {
            let at = variable.as_bytes().iter().position(|byte| *byte == b'=')?;
            let (name, value) = variable.as_bytes().split_at(at);
            Some((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(&value[1..]).to_owned()))
        });
        let environment: Vec<_> = variables.collect();
        let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        if std::env::current_dir().ok()? != folder {
            // It would find other files here.
            return None;
        }
        let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let program = find(words.first()?, &folder, path)?;
        Some(Self { words, environment, program })
    }

    /// True when it is what this launch starts: its words, or an interpreter that was given them.
    pub fn is_started_by(&self, launch: &Launch) -> bool {
        let program = std::iter::once(launch.program.as_os_str());
        let words: Vec<&OsStr> = program.chain(launch.arguments.iter().map(OsString::as_os_str)).collect();
        let own: Vec<&OsStr> = self.words.iter().map(OsString::as_os_str).collect();
        own.ends_with(&words)
    }

    /// The same program with nothing before it, in the walls of this launch. Variables of that one process (`own`) are not
    /// among its own.
    pub fn launch_like(&self, launch: &Launch, own: &[&str]) -> Launch {
        let is_own = |name: &OsString| name == MARK_ENV || own.iter().any(|one| name == *one);
        let environment = self.environment.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
        let arguments = self.words.iter().skip(1).cloned().collect();
        Launch { program: self.program.clone(), arguments, environment, ..launch.clone() }
    }

    /// Its words, for a person.
    pub fn command(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }
}

/// What ends with zeroes.
fn strings(bytes: &[u8]) -> Vec<OsString> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// Where a program of this name is. By its name, and not by its file, an interpreter knows its environment.
fn find(name: &OsStr, folder: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Some(folder.join(name)).filter(|program| program.is_file());
    }
    std::env::split_paths(path?).map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(words: &[&str]) -> RunningProgram {
        let words = words.iter().map(OsString::from).collect();
        let variables =
            [("PATH", "/bin"), ("MUSTER_WORKER_ID", "one"), ("TMPDIR", "/tmp/one"), ("SET", "by it")];
        let environment = variables.map(|(name, value)| (name.into(), value.into())).into();
        RunningProgram { words, environment, program: "/bin/python3".into() }
    }

    fn launch(command: &[&str]) -> Launch {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        Launch::new(&command, Vec::new()).unwrap()
    }

    #[test]
    fn what_was_started_is_known_with_and_without_an_interpreter() {
        let worker = program(&["python3", "-m", "worker"]);
        assert!(!worker.is_started_by(&launch(&["/bin/sh", "-c", "python3 -m worker"])));
        assert!(program(&["/bin/worker", "a"]).is_started_by(&launch(&["/bin/worker", "a"])));
        assert!(program(&["node", "/bin/worker", "a"]).is_started_by(&launch(&["/bin/worker", "a"])));
    }

    #[test]
    fn it_is_started_again_with_what_its_launcher_gave_it() {
        let again = program(&["python3", "-m", "worker"]).launch_like(&launch(&["/bin/sh"]), &["TMPDIR"]);
        assert_eq!(
            (again.program, again.arguments),
            ("/bin/python3".into(), vec!["-m".into(), "worker".into()])
        );
        let names: Vec<_> = again.environment.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["PATH", "SET"]);
    }

    #[test]
    fn this_process_can_be_read() {
        let own = RunningProgram::read(std::process::id()).unwrap();
        assert!(own.program.is_file() && !own.words.is_empty());
        assert_eq!(RunningProgram::read(u32::MAX), None);
    }
}
