//! Records as bytes of a format.

use std::io;

use csv::{Terminator, WriterBuilder};
use sea_orm_audit_core::entity::audit_log;

use crate::chunk::Chunk;
use crate::csv_cell;
use crate::format::ExportFormat;
use crate::line::{COLUMNS, Line};
#[cfg(feature = "parquet")]
use crate::parquet_file::ParquetFile;

/// The state of an export's format.
pub(crate) enum Encoder {
    Csv,
    JsonLines,
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetFile>),
}

impl Encoder {
    /// Begins, and adds what comes before the first record.
    pub(crate) fn begin(format: ExportFormat, chunk: &mut Chunk) -> io::Result<Self> {
        Ok(match format {
            ExportFormat::Csv => {
                csv_lines(chunk, |writer, _| writer.write_record(COLUMNS))?;
                Self::Csv
            }
            ExportFormat::JsonLines => Self::JsonLines,
            #[cfg(feature = "parquet")]
            ExportFormat::Parquet => Self::Parquet(Box::new(ParquetFile::begin()?)),
        })
    }

    pub(crate) fn push(
        &mut self,
        records: &[audit_log::Model],
        chunk: &mut Chunk,
    ) -> io::Result<()> {
        match self {
            Self::Csv => csv_lines(chunk, |writer, ends| {
                for record in records {
                    let line = Line::from(record);
                    writer.write_field(record.id.to_string())?;
                    for text in line.texts() {
                        let text = text.unwrap_or_default();
                        writer.write_field(csv_cell::text(&text).as_bytes())?;
                    }
                    writer.write_record(None::<&[u8]>)?;
                    writer.flush()?;
                    ends.push(writer.get_ref().len());
                }
                Ok(())
            }),
            Self::JsonLines => {
                for record in records {
                    serde_json::to_writer(&mut chunk.bytes, &Line::from(record))?;
                    chunk.bytes.push(b'\n');
                    chunk.mark(1);
                }
                Ok(())
            }
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.push(records, chunk),
        }
    }

    /// Adds what comes after the last record.
    #[cfg_attr(
        not(feature = "parquet"),
        expect(unused_variables, reason = "the other formats have no end")
    )]
    pub(crate) fn finish(self, chunk: &mut Chunk) -> io::Result<()> {
        match self {
            Self::Csv | Self::JsonLines => Ok(()),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.finish(chunk),
        }
    }
}

/// Adds lines of CSV. The function adds to its list where each record ends.
fn csv_lines(
    chunk: &mut Chunk,
    lines: impl FnOnce(&mut csv::Writer<Vec<u8>>, &mut Vec<usize>) -> csv::Result<()>,
) -> io::Result<()> {
    let mut ends = Vec::new();
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    lines(&mut writer, &mut ends)?;
    let text = writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    let mut from = 0;
    for end in ends {
        chunk.bytes.extend_from_slice(&text[from..end]);
        chunk.mark(1);
        from = end;
    }
    chunk.bytes.extend_from_slice(&text[from..]);
    Ok(())
}
