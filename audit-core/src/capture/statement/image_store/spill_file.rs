//! The temporary file of a store: unlinked from the start, readable only by its owner.
//!
//! Each column of a row is two JSON texts, each after its length: the stored form, and the digest, which may be
//! empty.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};

use sea_orm::prelude::Json;

use crate::config::{StoredRow, StoredValue};

/// The buffer size for writes.
const BUFFER: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct SpillFile {
    pub(super) file: File,
    buffer: Vec<u8>,
    rows: u64,
}

impl SpillFile {
    pub(super) fn create() -> Result<Self> {
        let file = tempfile::tempfile()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A file that never has a name gets its mode from the umask.
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(Self {
            file,
            buffer: Vec::new(),
            rows: 0,
        })
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn write(&mut self, row: &StoredRow) -> Result<()> {
        for value in row {
            self.add(Some(&value.form))?;
            self.add(value.digest.as_ref())?;
        }
        self.rows += 1;
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    fn add(&mut self, json: Option<&Json>) -> Result<()> {
        let text = json.map_or_else(|| Ok(Vec::new()), serde_json::to_vec)?;
        let length = u32::try_from(text.len()).map_err(|_| Error::from(ErrorKind::FileTooLarge))?;
        self.buffer.extend(length.to_le_bytes());
        self.buffer.extend(text);
        Ok(())
    }

    /// Writes the rest of the buffer. An error of the file may be unknown until then.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Reads rows from a position: limited to this number, and to about this many bytes.
    pub(super) fn read(
        &mut self,
        mut offset: u64,
        most: usize,
        columns: usize,
        bytes: u64,
    ) -> Result<(Vec<StoredRow>, u64)> {
        if !self.buffer.is_empty() {
            self.flush()?;
        }
        let start = self.file.seek(SeekFrom::Start(offset))?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let mut rows = Vec::new();
        while rows.len() < most && (rows.is_empty() || offset - start < bytes) {
            let mut row = StoredRow::with_capacity(columns);
            for _ in 0..columns {
                let form = next(&mut reader, &mut offset)?.unwrap_or_default();
                let digest = next(&mut reader, &mut offset)?;
                row.push(StoredValue { form, digest });
            }
            rows.push(row);
        }
        Ok((rows, offset))
    }
}

fn next(reader: &mut impl Read, offset: &mut u64) -> Result<Option<Json>> {
    let mut length = [0; 4];
    reader.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    *offset += 4 + u64::from(length);
    if length == 0 {
        return Ok(None);
    }
    let mut text = vec![0; length as usize];
    reader.read_exact(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}
