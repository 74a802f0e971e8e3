//! Which files a strictly confined worker may read: the system's folders, its interpreter, what its command names,
//! and what the settings say, without the supervisor's own.
//!
//! Landlock allows whole trees and cannot take anything out of one. So where something in a tree must stay closed, what
//! is beside it is allowed one by one, as it is when the plan is made.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use crate::process::Launch;

/// Programs, libraries and their data, and what the kernel tells.
const SYSTEM: &[&str] = &[
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/etc",
    "/proc",
    "/sys",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/nscd",
];
/// Devices that are no hardware.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
/// What is in the system's folders and no worker's business, also where it runs as root.
const SECRET: &[&str] = &[
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/ssh",
    "/etc/muster",
    "/etc/muster.toml",
];
/// Variables that name files and folders for interpreters.
const SEARCH_PATHS: &[&str] = &[
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LD_LIBRARY_PATH",
];
/// What is at the root of a package of some language.
const PACKAGE_ROOTS: &[&str] = &["package.json", "pyproject.toml", "pyvenv.cfg"];
/// So far up a package's root is looked for.
const PACKAGE_DEPTH_MAX: usize = 4;
/// Links to a program are followed so far.
const LINKS_MAX: usize = 16;

/// What the settings say of the files of a strictly confined worker.
#[derive(Clone, Debug, Default)]
pub struct FileSettings {
    /// Where its workflows are.
    pub workflows_dir: PathBuf,
    /// More to read.
    pub readable: Vec<PathBuf>,
    /// More to write.
    pub writable: Vec<PathBuf>,
    /// What stays closed, whatever else is allowed.
    pub closed: Vec<PathBuf>,
}

/// Files and folders that may be read, and those that may be written.
pub fn allowed_files(launch: &Launch, settings: &FileSettings) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let closed: Vec<PathBuf> = settings
        .closed
        .iter()
        .cloned()
        .chain(SECRET.iter().map(PathBuf::from))
        .map(|path| real(&path))
        .collect();
    let implied = SYSTEM.iter().map(PathBuf::from).chain(of_command(launch)).map(|path| real(&path));
    let implied = implied.filter(|path| !closed.iter().any(|closed| path.starts_with(closed)));
    // What a person named is allowed where it is, even inside of what is closed.
    let named = [&settings.workflows_dir].into_iter().chain(&settings.readable).map(|path| real(path));
    let readable: BTreeSet<PathBuf> = implied.chain(named).filter(|path| path.exists()).collect();
    let readable = readable.iter().flat_map(|path| without(path, &closed)).collect();
    let writable = settings.writable.iter().map(|path| real(path));
    let writable = writable.flat_map(|path| without(&path, &closed));
    let devices = DEVICES.iter().map(PathBuf::from).filter(|path| path.exists());
    (readable, devices.chain(writable).collect())
}

/// The path without links, if it is there.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The tree, or what of it is beside the closed.
fn without(path: &Path, closed: &[PathBuf]) -> Vec<PathBuf> {
    if !closed.iter().any(|closed| closed != path && closed.starts_with(path)) {
        return vec![path.to_owned()];
    }
    let children = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    // A link leads elsewhere, and is allowed there or not at all.
    let children = children.filter(|child| child.symlink_metadata().is_ok_and(|seen| !seen.is_symlink()));
    children.filter(|child| !closed.contains(child)).flat_map(|child| without(&child, closed)).collect()
}

/// What the program, its arguments and its environment name.
fn of_command(launch: &Launch) -> Vec<PathBuf> {
    let home = variable(launch, "HOME").map(PathBuf::from);
    let mut found: Vec<PathBuf> = programs(&launch.program);
    for argument in &launch.arguments {
        found.extend(of_argument(argument));
    }
    for name in SEARCH_PATHS {
        found.extend(variable(launch, name).iter().flat_map(std::env::split_paths));
    }
    found.retain(|path| path.is_absolute() && !is_too_wide(path, home.as_deref()));
    found
}

fn variable<'a>(launch: &'a Launch, name: &str) -> Option<&'a OsString> {
    launch.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// A home or the root holds what nobody meant.
fn is_too_wide(path: &Path, home: Option<&Path>) -> bool {
    let depth = path.components().filter(|part| matches!(part, Component::Normal(_))).count();
    depth == 0 || home == Some(path) || path == Path::new("/root") || depth <= 2 && path.starts_with("/home")
}

/// The program, what it is a link to, and the installation that each of them is in.
fn programs(program: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut at = program.to_owned();
    for _ in 0..LINKS_MAX {
        found.extend(installation_of(&at).into_iter().chain(package_of(&at)));
        found.push(at.clone());
        let Ok(target) = std::fs::read_link(&at) else { break };
        at = at.parent().unwrap_or(Path::new("/")).join(target);
    }
    let program = real(program);
    found.extend(installation_of(&program).into_iter().chain(package_of(&program)));
    found
}

/// The folder above `bin`, where it looks like an installation.
fn installation_of(program: &Path) -> Option<PathBuf> {
    let folder = program.parent().filter(|folder| folder.file_name() == Some(OsStr::new("bin")))?;
    let prefix = folder.parent()?;
    ["lib", "pyvenv.cfg"].iter().any(|name| prefix.join(name).exists()).then(|| prefix.to_owned())
}

/// The package that a file belongs to, else the file or folder itself.
fn of_argument(argument: &OsStr) -> Option<PathBuf> {
    let path = Path::new(argument).canonicalize().ok()?;
    Some(package_of(&path).unwrap_or(path))
}

/// The nearest folder above, or the folder itself, that is the root of a package.
fn package_of(path: &Path) -> Option<PathBuf> {
    let mut folders = path.ancestors().skip(usize::from(!path.is_dir())).take(PACKAGE_DEPTH_MAX);
    let is_root = |folder: &&Path| PACKAGE_ROOTS.iter().any(|name| folder.join(name).is_file());
    folders.find(is_root).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn launch(command: &[&str]) -> Launch {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        Launch::new(&command, vec![("HOME".to_owned(), Some("/root".into()))]).unwrap()
    }

    #[test]
    fn what_is_closed_is_left_out_of_the_tree_it_is_in() {
        let folder = tempfile::tempdir().unwrap();
        let root = real(folder.path());
        for name in ["data/outbox", "workflows", "models/big"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join("muster.toml"), "").unwrap();
        std::os::unix::fs::symlink("data", root.join("link")).unwrap();
        let closed = [root.join("data"), root.join("muster.toml")];
        let mut left = without(&root, &closed);
        left.sort();
        assert_eq!(left, [root.join("models"), root.join("workflows")]);
        assert_eq!(without(&root.join("models"), &closed), [root.join("models")]);
    }

    #[test]
    fn a_named_folder_is_allowed_inside_of_a_closed_one_and_nothing_else_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = real(folder.path());
        fs::create_dir_all(root.join("workflows")).unwrap();
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::create_dir_all(root.join("lib")).unwrap();
        let settings = FileSettings {
            workflows_dir: root.join("workflows"),
            closed: vec![root.clone()],
            ..FileSettings::default()
        };
        let program = root.join("bin/python").display().to_string();
        let (readable, _) = allowed_files(&launch(&[&program]), &settings);
        let inside: Vec<_> = readable.iter().filter(|path| path.starts_with(&root)).collect();
        assert_eq!(inside, [&root.join("workflows")]);
        assert!(readable.contains(&real(Path::new("/usr"))));
        assert!(!readable.iter().any(|path| path == Path::new("/etc") || path.starts_with("/etc/shadow")));
    }

    #[test]
    fn an_interpreter_brings_its_installation_and_a_script_its_package() {
        let folder = tempfile::tempdir().unwrap();
        let root = real(folder.path());
        for name in ["venv/bin", "base/bin", "base/lib", "app/src", "plain"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        for file in
            ["venv/pyvenv.cfg", "base/bin/python3", "app/package.json", "app/src/main.js", "plain/one.py"]
        {
            fs::write(root.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink("../../base/bin/python3", root.join("venv/bin/python")).unwrap();
        let found = programs(&root.join("venv/bin/python"));
        assert!(found.contains(&root.join("venv")) && found.contains(&root.join("base")), "{found:?}");
        assert_eq!(of_argument(root.join("app/src/main.js").as_os_str()), Some(root.join("app")));
        assert_eq!(of_argument(root.join("plain/one.py").as_os_str()), Some(root.join("plain/one.py")));
        assert_eq!(of_argument(OsStr::new("-m")), None);
    }

    #[test]
    fn no_home_is_opened_by_a_program_in_it() {
        for wide in ["/", "/root", "/home", "/home/ann", "/custom/home"] {
            assert!(is_too_wide(Path::new(wide), Some(Path::new("/custom/home"))), "{wide}");
        }
        assert!(!is_too_wide(Path::new("/home/ann/venv"), None));
        assert!(!is_too_wide(Path::new("/srv"), None));
    }
}
