//! Records as a Parquet file.

use std::io;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sea_orm_audit_core::entity::audit_log;

use crate::chunk::Chunk;
use crate::line::{COLUMNS, Line};

/// A row group is in memory until it is complete.
const GROUP_ROWS: usize = 20_000;
const GROUP_BYTES: usize = 4 << 20;
/// Columns that always have a value.
const REQUIRED: [&str; 6] = [
    "id",
    "occurred_at",
    "action",
    "outcome",
    "actor_type",
    "source",
];

pub(crate) struct ParquetFile {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    /// The rows of the row group that is not complete.
    waiting: usize,
}

fn schema() -> Schema {
    let fields = COLUMNS.iter().map(|name| {
        let kind = match *name {
            "id" => DataType::Int64,
            "occurred_at" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            _ => DataType::Utf8,
        };
        Field::new(*name, kind, !REQUIRED.contains(name))
    });
    Schema::new(fields.collect::<Vec<_>>())
}

impl ParquetFile {
    pub(crate) fn begin() -> io::Result<Self> {
        let schema = Arc::new(schema());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by(format!(
                "sea-orm-audit-export {}",
                env!("CARGO_PKG_VERSION")
            ))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties));
        Ok(Self {
            schema,
            writer: writer.map_err(failed)?,
            waiting: 0,
        })
    }

    pub(crate) fn push(
        &mut self,
        records: &[audit_log::Model],
        chunk: &mut Chunk,
    ) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let batch = self.batch(records)?;
        // A group ends where this says, so that its records are counted with its bytes.
        if self.waiting + records.len() > GROUP_ROWS {
            self.end_group(chunk)?;
        }
        self.writer.write(&batch).map_err(failed)?;
        self.waiting += records.len();
        if self.writer.in_progress_size() >= GROUP_BYTES {
            self.end_group(chunk)?;
        }
        Ok(())
    }

    fn end_group(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        self.writer.flush().map_err(failed)?;
        chunk.bytes.append(self.writer.inner_mut());
        chunk.mark(std::mem::take(&mut self.waiting) as u64);
        Ok(())
    }

    pub(crate) fn finish(mut self, chunk: &mut Chunk) -> io::Result<()> {
        self.end_group(chunk)?;
        let mut end = self.writer.into_inner().map_err(failed)?;
        chunk.bytes.append(&mut end);
        Ok(())
    }

    fn batch(&self, records: &[audit_log::Model]) -> io::Result<RecordBatch> {
        let ids: Int64Array = records.iter().map(|record| Some(record.id)).collect();
        let times = records
            .iter()
            .map(|record| record.occurred_at.timestamp_micros());
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let mut texts: Vec<StringBuilder> =
            (2..COLUMNS.len()).map(|_| StringBuilder::new()).collect();
        for record in records {
            let line = Line::from(record);
            // The time has a column of its own.
            for (column, text) in texts.iter_mut().zip(line.texts().into_iter().skip(1)) {
                column.append_option(text);
            }
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times)];
        columns.extend(
            texts
                .into_iter()
                .map(|mut text| Arc::new(text.finish()) as ArrayRef),
        );
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(io::Error::other)
    }
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
