//! The files: one for each attempt, bounded together.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use muster_core::execution::Attempt;
use muster_system::private;
use uuid::Uuid;

/// What the name of a transcript ends with.
const ENDING: &str = "jsonl";
/// What the name of a transcript ends with while it is written.
const UNFINISHED: &str = "part";

/// Transcripts cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptFolderError {
    /// The folder, or a file in it.
    #[error("transcripts in {}: {reason}; check the rights and the space of data_dir", folder.display())]
    Io {
        /// The path of the folder.
        folder: PathBuf,
        /// The error of the system call.
        reason: io::Error,
    },
}

/// The folder in which transcripts are kept.
#[derive(Debug)]
pub struct TranscriptFolder {
    path: PathBuf,
    max_bytes: u64,
    kept: Mutex<KeptTranscripts>,
}

/// What is there, the oldest first.
#[derive(Debug, Default)]
struct KeptTranscripts {
    files: VecDeque<(PathBuf, u64)>,
    bytes: u64,
}

impl TranscriptFolder {
    /// Opens the folder, made if it is not there, and counts what an earlier process left in it.
    ///
    /// # Errors
    /// When it cannot be made or listed.
    pub fn open(path: PathBuf, max_bytes: u64) -> Result<Self, TranscriptFolderError> {
        let listed = private::make_folder(&path).and_then(|()| list(&path));
        let files = listed.map_err(|reason| TranscriptFolderError::Io { folder: path.clone(), reason })?;
        let bytes = files.iter().map(|(_, bytes)| bytes).sum();
        let folder = Self { path, max_bytes, kept: Mutex::new(KeptTranscripts { files, bytes }) };
        folder.make_room();
        Ok(folder)
    }

    /// Keeps a transcript; older ones give way to it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, attempt: Attempt, text: &str) -> Result<(), TranscriptFolderError> {
        let path = self.file(attempt.execution_id, attempt.number);
        // Whoever reads meanwhile sees a whole transcript or none.
        let unfinished = path.with_extension(UNFINISHED);
        let written =
            private::write(&unfinished, text.as_bytes()).and_then(|()| fs::rename(&unfinished, &path));
        written.map_err(|reason| TranscriptFolderError::Io { folder: self.path.clone(), reason })?;
        let bytes = text.len() as u64;
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.files.push_back((path, bytes));
            kept.bytes += bytes;
        }
        self.make_room();
        Ok(())
    }

    /// The transcript of an attempt, or of the latest that has one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self, id: Uuid, attempt: Option<u32>) -> Result<Option<String>, TranscriptFolderError> {
        let found = match attempt {
            Some(number) => Some(self.file(id, number)),
            None => self.latest(id),
        };
        let Some(path) = found else { return Ok(None) };
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(reason) => Err(TranscriptFolderError::Io { folder: self.path.clone(), reason }),
        }
    }

    fn latest(&self, id: Uuid) -> Option<PathBuf> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let id = id.to_string();
        let is_of =
            |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&id));
        kept.files.iter().rev().map(|(path, _)| path).find(|path| is_of(path)).cloned()
    }

    fn file(&self, id: Uuid, attempt: u32) -> PathBuf {
        self.path.join(format!("{id}.{attempt}.{ENDING}"))
    }

    fn make_room(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.bytes > self.max_bytes {
            let Some((path, bytes)) = kept.files.pop_front() else { break };
            kept.bytes -= bytes;
            // One that somebody deleted already made its room.
            let _ = fs::remove_file(path);
        }
    }
}

/// The transcripts in a folder, the oldest first.
fn list(folder: &Path) -> io::Result<VecDeque<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == UNFINISHED) {
            // A crash came while it was written.
            fs::remove_file(&path)?;
            continue;
        }
        let is_transcript = path.extension().is_some_and(|ending| ending == ENDING);
        let Some(metadata) = path.metadata().ok().filter(|_| is_transcript) else { continue };
        files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), path, metadata.len()));
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path, bytes)| (path, bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u128) -> Attempt {
        Attempt::new(Uuid::from_u128(number), 1)
    }

    fn read(folder: &TranscriptFolder, number: u128) -> Option<usize> {
        folder.read(Uuid::from_u128(number), None).unwrap().map(|text| text.len())
    }

    #[test]
    fn the_oldest_give_way_also_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let open = || TranscriptFolder::open(directory.path().join("transcripts"), 250).unwrap();
        let folder = open();
        for number in 0..3 {
            folder.keep(attempt(number), &"x".repeat(100)).unwrap();
        }
        assert_eq!([read(&folder, 0), read(&folder, 1), read(&folder, 2)], [None, Some(100), Some(100)]);
        let again = open();
        again.keep(attempt(3), &"x".repeat(100)).unwrap();
        assert_eq!([read(&again, 1), read(&again, 2), read(&again, 3)], [None, Some(100), Some(100)]);
    }

    #[test]
    fn the_latest_attempt_is_given_unless_another_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let folder = TranscriptFolder::open(directory.path().to_owned(), 1 << 20).unwrap();
        let id = Uuid::from_u128(7);
        folder.keep(Attempt::new(id, 1), "first").unwrap();
        folder.keep(Attempt::new(id, 2), "second").unwrap();
        assert_eq!(folder.read(id, None).unwrap().as_deref(), Some("second"));
        assert_eq!(folder.read(id, Some(1)).unwrap().as_deref(), Some("first"));
        assert_eq!(folder.read(id, Some(3)).unwrap(), None);
    }
}
