//! Where outcomes wait on disk while the store is out of reach.
//!
//! One append-only file: a magic number, then records of length, checksum and JSON. An append returns after
//! the disk has it. What a crash left half-written at the end was never promised to anybody; it is cut off
//! when the file is opened, and kept beside it. Records are forgotten in order and the file is emptied when
//! none is left; a crash before that replays them, and finalizing again says what is written already.
//!
//! Everything here blocks: call it from a thread that may.

mod error;
mod format;
mod reserve;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

pub use error::OutboxError;

pub(in crate::finalize) use format::Place;
use format::{HEADER_BYTES, MAGIC, push_record, scan};
use muster_store::Finalization;
use muster_system::private;

/// The open file in which outcomes wait for the store.
#[derive(Debug)]
pub struct OutcomeOutbox {
    path: PathBuf,
    file: File,
    max_bytes: u64,
    /// Where the next record goes.
    end: u64,
    /// Records not forgotten yet, oldest first.
    waiting: VecDeque<Place>,
}

impl OutcomeOutbox {
    /// Opens the file, or makes it, and finds what waits in it.
    ///
    /// # Errors
    /// When the disk fails, or the file is not an outbox.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, OutboxError> {
        let disk = |source| OutboxError::Disk { path: path.to_owned(), source };
        let new = !path.exists();
        let mut file = private::file_options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(disk)?;
        let mut magic = Vec::new();
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(disk)?;
        if !MAGIC.starts_with(&magic) {
            let message = "the file does not begin like an outbox of this version".to_owned();
            return Err(OutboxError::Unreadable { path: path.to_owned(), offset: 0, message });
        }
        let (waiting, end) = if magic == MAGIC {
            scan(BufReader::new(&file)).map_err(disk)?
        } else {
            // A crash came before even the magic number was whole: nothing was ever kept here.
            file.set_len(0).and_then(|()| file.write_all_at(&MAGIC, 0)).map_err(disk)?;
            (VecDeque::new(), MAGIC.len() as u64)
        };
        let mut outbox = Self { path: path.to_owned(), file, max_bytes, end, waiting };
        outbox.cut_torn_record().map_err(disk)?;
        // A record of another version is found now, where a person reads the error, and not while outcomes wait.
        for place in outbox.waiting.clone() {
            outbox.read(place)?;
        }
        outbox.file.sync_all().map_err(disk)?;
        if new {
            outbox.sync_folder().map_err(disk)?;
        }
        Ok(outbox)
    }

    /// Ends the file with its last whole record; the rest is kept beside it for a person.
    fn cut_torn_record(&mut self) -> io::Result<()> {
        let mut torn = Vec::new();
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.read_to_end(&mut torn)?;
        if torn.is_empty() {
            return Ok(());
        }
        let kept = self.path.with_extension("torn");
        private::write(&kept, &torn)?;
        tracing::warn!(outbox = %self.path.display(), bytes = torn.len(), kept = %kept.display(),
            "cut off a record that a crash left half-written");
        self.file.set_len(self.end)
    }

    /// A name is in its folder only when the folder is on disk too.
    fn sync_folder(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// The number of outcomes that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True when no outcome waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps these outcomes: when it returns they are on disk.
    ///
    /// # Errors
    /// When the bound or the disk does not allow it; then none of them is kept.
    pub fn append(&mut self, finalizations: &[Finalization]) -> Result<(), OutboxError> {
        let mut bytes = Vec::new();
        let mut places = Vec::with_capacity(finalizations.len());
        for finalization in finalizations {
            let json = serde_json::to_vec(finalization).map_err(|error| self.disk(error.into()))?;
            let length = u32::try_from(json.len()).map_err(|_| self.full())?;
            let header_at = self.end + bytes.len() as u64;
            push_record(&mut bytes, length, &json);
            places.push(Place { offset: header_at + HEADER_BYTES as u64, length });
        }
        self.check_bound(bytes.len() as u64)?;
        // A refusal in the middle of a write would cost what is set aside for others.
        self.reserve(bytes.len() as u64)?;
        let written = self.file.write_all_at(&bytes, self.end).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What the disk has of it must not come back: the caller keeps these outcomes elsewhere now. If even
            // this fails, a replay of them changes nothing that is finalized by then.
            let _cut = self.file.set_len(self.end);
            return Err(self.disk(error));
        }
        self.end += bytes.len() as u64;
        self.waiting.extend(places);
        Ok(())
    }

    /// The oldest outcomes, at most so many and so many bytes but at least one, in the order they were appended. They
    /// stay until forgotten.
    ///
    /// # Errors
    /// When the disk fails or a record is of another version.
    pub fn oldest(&mut self, limit: usize, max_bytes: usize) -> Result<Vec<Finalization>, OutboxError> {
        let mut bytes = 0;
        let fits = |place: &&Place| {
            let is_first = bytes == 0;
            bytes += place.length as usize;
            is_first || bytes <= max_bytes
        };
        let places: Vec<Place> = self.waiting.iter().take(limit).take_while(fits).copied().collect();
        places.into_iter().map(|place| self.read(place)).collect()
    }

    /// Where the outcomes lie, oldest first.
    pub(super) fn places(&self) -> Vec<Place> {
        self.waiting.iter().copied().collect()
    }

    /// The end at a place that is not forgotten.
    pub(super) fn read(&mut self, place: Place) -> Result<Finalization, OutboxError> {
        let mut json = vec![0; place.length as usize];
        let read = self.file.seek(SeekFrom::Start(place.offset));
        read.and_then(|_| self.file.read_exact(&mut json)).map_err(|error| self.disk(error))?;
        serde_json::from_slice(&json).map_err(|error| OutboxError::Unreadable {
            path: self.path.clone(),
            offset: place.offset - HEADER_BYTES as u64,
            message: error.to_string(),
        })
    }

    /// Forgets the oldest outcomes: the store has them. The file is emptied with the last one.
    ///
    /// # Errors
    /// When the disk fails. The outcomes are then replayed once more after a restart, which changes nothing.
    pub fn forget(&mut self, count: usize) -> Result<(), OutboxError> {
        self.waiting.drain(..count.min(self.waiting.len()));
        self.empty_when_done()
    }

    /// Forgets one, wherever it lies.
    pub(super) fn forget_place(&mut self, place: Place) -> Result<(), OutboxError> {
        self.waiting.retain(|waiting| waiting.offset != place.offset);
        self.empty_when_done()
    }

    fn empty_when_done(&mut self) -> Result<(), OutboxError> {
        if !self.waiting.is_empty() {
            return Ok(());
        }
        self.end = MAGIC.len() as u64;
        let emptied = self.file.set_len(self.end).and_then(|()| self.file.sync_all());
        emptied.map_err(|error| self.disk(error))
    }

    fn check_bound(&self, more_bytes: u64) -> Result<(), OutboxError> {
        if self.end.saturating_add(more_bytes) > self.max_bytes { Err(self.full()) } else { Ok(()) }
    }

    fn full(&self) -> OutboxError {
        OutboxError::Full { path: self.path.clone(), max_bytes: self.max_bytes }
    }

    fn disk(&self, source: io::Error) -> OutboxError {
        OutboxError::Disk { path: self.path.clone(), source }
    }
}
