//! The bytes of the file: a magic number, then records of length, checksum and JSON.

use std::collections::VecDeque;
use std::io::{self, Read};

/// What the file begins with. The last character is the version of the records.
pub(super) const MAGIC: [u8; 8] = *b"MUSTOUT1";

/// Length and checksum of a record, four bytes each, little-endian.
pub(super) const HEADER_BYTES: usize = 8;

/// Where a record's JSON lies.
#[derive(Clone, Copy, Debug)]
pub(in crate::finalize) struct Place {
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// Adds a record to others that are written together.
pub(super) fn push_record(records: &mut Vec<u8>, length: u32, json: &[u8]) {
    records.extend(length.to_le_bytes());
    records.extend(checksum(length, json).to_le_bytes());
    records.extend(json);
}

/// Covers the length too, so that a run of zeros is no record.
pub(super) fn checksum(length: u32, json: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(json);
    hasher.finalize()
}

/// The whole records after the magic number, and where they end in the file.
pub(super) fn scan(mut records: impl Read) -> io::Result<(VecDeque<Place>, u64)> {
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
