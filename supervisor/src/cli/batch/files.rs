//! The files of a batch: the one its lines come from, and the one its results go to.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::cli::exit::CommandFailure;

/// Where the lines come from.
pub(super) struct LineReader {
    file: File,
    found: Metadata,
    name: String,
}

impl LineReader {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, CommandFailure> {
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
        let opened = if is_stdin {
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        } else {
            File::open(path)
        };
        let read = opened.and_then(|file| Ok((file.metadata()?, file)));
        let (found, file) =
            read.map_err(|error| CommandFailure::usage(format!("cannot read {name}: {error}")))?;
        Ok(Self { file, found, name })
    }

    /// True when all lines are there already. Those of a pipe or a terminal come when they come.
    pub(super) fn are_all_there(&self) -> bool {
        self.found.is_file()
    }

    /// How many lines hold something, where reading the file for it does not take them away.
    pub(super) fn count(&self, path: &Path) -> Option<u64> {
        if !self.are_all_there() || path == Path::new("-") {
            return None;
        }
        let lines = BufReader::new(File::open(path).ok()?).split(b'\n');
        let held = lines.map_while(Result::ok).filter(|line| !line.trim_ascii().is_empty());
        u64::try_from(held.count()).ok()
    }

    /// What is read.
    pub(super) fn into_reader(self) -> BufReader<impl Read + Send> {
        BufReader::new(self.file)
    }
}

/// Where the results go.
pub(super) struct ResultOutput {
    file: Box<dyn Write + Send>,
    /// Somebody at the other end of a pipe or a terminal wants each result as soon as it is there.
    pub(super) is_watched: bool,
}

impl ResultOutput {
    /// Opens a file, or standard output. A file is emptied only once it is known not to be the one that is read.
    pub(super) fn open(path: Option<&Path>, lines: &LineReader) -> Result<Self, CommandFailure> {
        let name = path.map_or("standard output".to_owned(), |path| path.display().to_string());
        let failed = |error: io::Error| CommandFailure::usage(format!("cannot write {name}: {error}"));
        let file = match path {
            Some(path) => OpenOptions::new().write(true).create(true).truncate(false).open(path),
            None => io::stdout().as_fd().try_clone_to_owned().map(File::from),
        }
        .map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if is_same_file(&found, &lines.found) {
            return Err(CommandFailure::usage(format!(
                "the results would overwrite the lines: {} and {name} are the same file; name another one with --out",
                lines.name
            )));
        }
        if path.is_some() && found.is_file() {
            file.set_len(0).map_err(failed)?;
        }
        let is_watched = !found.is_file();
        Ok(Self { file: Box::new(io::BufWriter::new(file)), is_watched })
    }

    /// What is written to.
    pub(super) fn into_writer(self) -> Box<dyn Write + Send> {
        self.file
    }
}

/// Devices and pipes may well be read and written at once.
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
}
