//! A Parquet file as rows, by the reader of the `parquet` crate.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::TestResult;

pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) micros: i64,
    /// All other columns.
    pub(crate) texts: Vec<Option<String>>,
}

pub(crate) fn read(bytes: Vec<u8>, columns: &[&str]) -> TestResult<Vec<Row>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
    let schema = builder.schema().clone();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, columns);
    let time = schema.field(1).data_type().to_string();
    assert!(time.contains("UTC"), "{time}");
    let mut rows = Vec::new();
    for batch in builder.build()? {
        let batch = batch?;
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
        for at in 0..batch.num_rows() {
            let texts = batch.columns()[2..].iter().map(|column| {
                let column = column.as_string::<i32>();
                (!column.is_null(at)).then(|| column.value(at).to_owned())
            });
            rows.push(Row {
                id: ids.value(at),
                micros: times.value(at),
                texts: texts.collect(),
            });
        }
    }
    Ok(rows)
}
