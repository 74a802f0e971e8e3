//! Where ends wait on disk while the store is out of reach.
//!
//! One append-only file: a magic number, then records of length, checksum and JSON. An append returns after
//! the disk has it. What a crash left half-written at the end was never promised to anybody; it is cut off
//! when the file is opened, and kept beside it. Records are forgotten in order and the file is emptied when
//! none is left; a crash before that replays them, and finalizing again says what is written already.
//!
//! Everything here blocks: call it from a thread that may.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use crate::store::Finalization;

/// What the file begins with. The last character is the version of the records.
const MAGIC: [u8; 8] = *b"MUSTOUT1";

/// Length and checksum of a record, four bytes each, little-endian.
const HEADER_BYTES: usize = 8;

/// Why an end could not be kept, or not be read back.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The bound is reached. Take nothing new until the store is back.
    #[error("the outbox {path} would grow beyond {max_bytes} bytes")]
    Full {
        /// The file.
        path: PathBuf,
        /// Its bound.
        max_bytes: u64,
    },
    /// The disk failed or is full. What was in the file before is still there.
    #[error("the outbox {path} cannot be used: {source}; make room on its disk or mend it")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record that is whole cannot be understood: another version wrote it.
    #[error(
        "the outbox {path} holds a record at byte {offset} that cannot be read: {message}; finish it with the version that wrote it, or move the file away"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
        /// What is wrong.
        message: String,
    },
}

/// Where a record's JSON lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    length: u32,
}

/// The file, open.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    file: File,
    max_bytes: u64,
    /// Where the next record goes.
    end: u64,
    /// Records not forgotten yet, oldest first.
    waiting: VecDeque<Place>,
}

impl Outbox {
    /// Opens the file, or makes it, and finds what waits in it.
    ///
    /// # Errors
    /// When the disk fails, or the file is not an outbox.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, OutboxError> {
        let disk = |source| OutboxError::Disk { path: path.to_owned(), source };
        let new = !path.exists();
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(disk)?;
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(disk)?;
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
        // A record of another version is found now, where a person reads the error, and not while ends wait.
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
        std::fs::write(&kept, &torn)?;
        tracing::warn!(outbox = %self.path.display(), bytes = torn.len(), kept = %kept.display(),
            "cut off a record that a crash left half-written");
        self.file.set_len(self.end)
    }

    /// A name is in its folder only when the folder is on disk too.
    fn sync_folder(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// How many ends wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True when none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Makes sure that so many bytes can be appended, whatever else fills the disk meanwhile. Called with what
    /// all running slots may need, before one of them runs.
    ///
    /// # Errors
    /// When the bound or the disk does not allow it.
    pub fn reserve(&self, bytes: u64) -> Result<(), OutboxError> {
        self.check_bound(bytes)?;
        if bytes == 0 {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.end, bytes) {
            // Some file systems cannot promise space; then the append finds out.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            Err(error) => Err(self.disk(error.into())),
        }
    }

    /// Keeps these ends: when it returns they are on disk.
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
            bytes.extend(length.to_le_bytes());
            bytes.extend(checksum(length, &json).to_le_bytes());
            bytes.extend(json);
            places.push(Place { offset: header_at + HEADER_BYTES as u64, length });
        }
        self.check_bound(bytes.len() as u64)?;
        let written = self.file.write_all_at(&bytes, self.end).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What the disk has of it must not come back: the caller keeps these ends elsewhere now. If even
            // this fails, a replay of them changes nothing that is finalized by then.
            let _cut = self.file.set_len(self.end);
            return Err(self.disk(error));
        }
        self.end += bytes.len() as u64;
        self.waiting.extend(places);
        Ok(())
    }

    /// The oldest ends, at most so many and so many bytes but at least one, in the order they were appended. They
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

    fn read(&mut self, place: Place) -> Result<Finalization, OutboxError> {
        let mut json = vec![0; place.length as usize];
        let read = self.file.seek(SeekFrom::Start(place.offset));
        read.and_then(|_| self.file.read_exact(&mut json)).map_err(|error| self.disk(error))?;
        serde_json::from_slice(&json).map_err(|error| OutboxError::Unreadable {
            path: self.path.clone(),
            offset: place.offset - HEADER_BYTES as u64,
            message: error.to_string(),
        })
    }

    /// Forgets the oldest ends: the store has them. The file is emptied with the last one.
    ///
    /// # Errors
    /// When the disk fails. The ends are then replayed once more after a restart, which changes nothing.
    pub fn forget(&mut self, count: usize) -> Result<(), OutboxError> {
        self.waiting.drain(..count.min(self.waiting.len()));
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

/// Covers the length too, so that a run of zeros is no record.
fn checksum(length: u32, json: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(json);
    hasher.finalize()
}

/// The whole records after the magic number, and where they end in the file.
fn scan(mut records: impl Read) -> io::Result<(VecDeque<Place>, u64)> {
    let mut places = VecDeque::new();
    let mut end = MAGIC.len() as u64;
    let mut json = Vec::new();
    while let Some(length) = next_record(&mut records, &mut json)? {
        places.push_back(Place { offset: end + HEADER_BYTES as u64, length });
        end += HEADER_BYTES as u64 + u64::from(length);
    }
    Ok((places, end))
}

/// Reads one record; `None` when what follows is not a whole one.
fn next_record(records: &mut impl Read, json: &mut Vec<u8>) -> io::Result<Option<u32>> {
    json.clear();
    records.take(HEADER_BYTES as u64).read_to_end(json)?;
    let Some((length, rest)) = json.split_first_chunk::<4>() else { return Ok(None) };
    let Some((expected, _)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let (length, expected) = (u32::from_le_bytes(*length), u32::from_le_bytes(*expected));
    json.clear();
    // Allocates as it reads, so that a damaged length costs no memory.
    records.take(u64::from(length)).read_to_end(json)?;
    let whole = length > 0 && json.len() == length as usize && checksum(length, json) == expected;
    Ok(whole.then_some(length))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::execution::{Attempt, LogLine, LogStream};
    use crate::store::{Disposition, Failure, NewEvent, NewExecution, Outcome, StateChange, StateWrite};

    const MAX_BYTES: u64 = 1 << 20;

    fn raw(json: &str) -> Box<serde_json::value::RawValue> {
        serde_json::value::RawValue::from_string(json.to_owned()).unwrap()
    }

    /// An end with something in every field, so that a field that does not come back shows.
    fn end(number: u32) -> Finalization {
        let at = Timestamp::from_microsecond(1_700_000_000_000_001).unwrap();
        let disposition = match number % 3 {
            0 => Disposition::Terminal(Outcome::Success { result: raw("null") }),
            1 => Disposition::Retry {
                failure: Failure::new("E", "m"),
                delay: Duration::from_millis(1500),
                max_attempts: 5,
            },
            _ => Disposition::Release { reason: "r".to_owned(), delay: Duration::ZERO, charged: false },
        };
        let change = |key: &str, write| StateChange { organization_id: None, key: key.to_owned(), write };
        Finalization {
            attempt: Attempt::new(Uuid::from_u128(u128::from(number)), number),
            owner: Uuid::from_u128(7),
            disposition,
            started_at: Some(at),
            completed_at: at,
            duration_ms: Some(12),
            metrics: Some(raw(r#"{"cpu":1}"#)),
            logs: vec![LogLine {
                sequence: 1,
                at_us: 5,
                level: "warn".to_owned(),
                stream: LogStream::Stderr,
                logger: String::new(),
                message: "zero \0 and ü".to_owned(),
                fields: Some(raw("{}")),
            }],
            changes: vec![change("a", StateWrite::Set(raw("null"))), change("b", StateWrite::Delete)],
            children: vec![NewExecution {
                id: Uuid::from_u128(9),
                workflow_id: None,
                workflow_name: Some("child".to_owned()),
                organization_id: None,
                caller: None,
                request: raw(r#"{"parameters":{}}"#),
                max_attempts: 1,
                timeout_seconds: Some(0.5),
                priority: 3,
                retry_of: None,
                delay: Duration::from_secs(1),
            }],
            events: vec![NewEvent::new(at, "started")],
        }
    }

    /// Rendered, because raw JSON has no equality.
    fn shown(ends: &[Finalization]) -> Vec<String> {
        ends.iter().map(|end| format!("{end:?}")).collect()
    }

    fn outbox() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox");
        (folder, path)
    }

    #[test]
    fn rule_19_what_was_appended_comes_back_whole_after_a_restart() {
        let (_folder, path) = outbox();
        let ends = [end(0), end(1), end(2)];
        let mut outbox = Outbox::open(&path, MAX_BYTES).unwrap();
        outbox.append(&ends[..2]).unwrap();
        outbox.append(&ends[2..]).unwrap();
        drop(outbox);
        let mut outbox = Outbox::open(&path, MAX_BYTES).unwrap();
        assert_eq!(outbox.len(), 3);
        assert_eq!(shown(&outbox.oldest(2, usize::MAX).unwrap()), shown(&ends[..2]));
        outbox.forget(2).unwrap();
        assert_eq!(shown(&outbox.oldest(10, usize::MAX).unwrap()), shown(&ends[2..]));
        outbox.append(&ends[..1]).unwrap();
        outbox.forget(2).unwrap();
        assert!(outbox.is_empty());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 8, "emptied with the last");
        drop(outbox);
        assert!(Outbox::open(&path, MAX_BYTES).unwrap().is_empty());
    }

    #[test]
    fn rule_19_a_crash_at_any_byte_keeps_every_record_before_it() {
        let (folder, path) = outbox();
        let small = |number| Finalization {
            logs: Vec::new(),
            changes: Vec::new(),
            children: Vec::new(),
            events: Vec::new(),
            ..end(number)
        };
        let ends = [small(0), small(1)];
        let mut outbox = Outbox::open(&path, MAX_BYTES).unwrap();
        outbox.append(&ends[..1]).unwrap();
        let first_end = outbox.end;
        outbox.append(&ends[1..]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            let path = folder.path().join("cut");
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut outbox = Outbox::open(&path, MAX_BYTES).unwrap();
            let expected = usize::from(length as u64 >= first_end) + usize::from(length == whole.len());
            assert_eq!(outbox.len(), expected, "cut to {length} of {} bytes", whole.len());
            assert_eq!(shown(&outbox.oldest(9, usize::MAX).unwrap()), shown(&ends[..expected]));
            // And it goes on from there. (Not every time: each append waits for the disk.)
            if length % 50 == 0 {
                outbox.append(&ends[1..]).unwrap();
                drop(outbox);
                assert_eq!(Outbox::open(&path, MAX_BYTES).unwrap().len(), expected + 1);
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_never_taken_for_a_record() {
        let (_folder, path) = outbox();
        let mut outbox = Outbox::open(&path, MAX_BYTES).unwrap();
        outbox.append(&[end(0)]).unwrap();
        drop(outbox);
        let whole = std::fs::read(&path).unwrap();
        for place in MAGIC.len()..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << (place % 8);
            assert!(scan(&damaged[MAGIC.len()..]).unwrap().0.is_empty(), "bit flipped in byte {place}");
        }
        let mut zeros = whole.clone();
        zeros.extend([0; 64]);
        assert_eq!(scan(&zeros[MAGIC.len()..]).unwrap().0.len(), 1, "zeros are no record");
    }

    #[test]
    fn the_bound_holds_and_a_refused_append_leaves_nothing() {
        let (_folder, path) = outbox();
        let mut outbox = Outbox::open(&path, 3000).unwrap();
        outbox.append(&[end(0)]).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = outbox.append(&[end(1), end(2), end(0), end(1)]).unwrap_err();
        assert!(matches!(error, OutboxError::Full { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(outbox.len(), 1);
        outbox.reserve(100).unwrap();
        assert!(matches!(outbox.reserve(3000), Err(OutboxError::Full { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before, "reserving does not change what is read");
    }

    #[test]
    fn a_file_that_is_no_outbox_is_left_alone() {
        let (_folder, path) = outbox();
        std::fs::write(&path, "somebody's notes").unwrap();
        let error = Outbox::open(&path, MAX_BYTES).unwrap_err();
        assert!(matches!(error, OutboxError::Unreadable { offset: 0, .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's notes");
    }

    #[test]
    fn rule_19_a_record_of_another_version_is_refused_at_the_start_and_left_alone() {
        let (_folder, path) = outbox();
        drop(Outbox::open(&path, MAX_BYTES).unwrap());
        let json = br#"{"not":"a finalization"}"#;
        let length = json.len() as u32;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(checksum(length, json).to_le_bytes());
        bytes.extend(json);
        std::fs::write(&path, &bytes).unwrap();
        let refused = Outbox::open(&path, MAX_BYTES).unwrap_err();
        assert!(matches!(refused, OutboxError::Unreadable { offset: 8, .. }), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn a_group_is_bounded_by_its_bytes_and_never_empty() {
        let (_folder, path) = outbox();
        let mut outbox = Outbox::open(&path, MAX_BYTES).unwrap();
        outbox.append(&[end(1), end(2), end(3)]).unwrap();
        assert_eq!(outbox.oldest(10, 1).unwrap().len(), 1);
        assert_eq!(outbox.oldest(10, usize::MAX).unwrap().len(), 3);
    }
}
