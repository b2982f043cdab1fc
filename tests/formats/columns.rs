//! Documents as columns.

use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

pub fn forms(documents: &[String]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("snappy.parquet", parquet(documents, Compression::SNAPPY)),
        ("zstd.parquet", parquet(documents, Compression::ZSTD(ZstdLevel::default()))),
        ("gzip.parquet", parquet(documents, Compression::GZIP(GzipLevel::default()))),
        ("lz4.parquet", parquet(documents, Compression::LZ4_RAW)),
        ("docs.arrow", arrow(documents, None)),
        ("dictionary.arrow", dictionary(documents)),
        ("zstd.arrow", arrow(documents, Some(CompressionType::ZSTD))),
        ("lz4.arrow", arrow(documents, Some(CompressionType::LZ4_FRAME))),
    ]
}

/// Groups of 37 rows.
pub fn parquet(documents: &[String], compression: Compression) -> Vec<u8> {
    let schema = "message schema { REQUIRED INT64 id; OPTIONAL BYTE_ARRAY text (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for some in documents.chunks(37) {
        let mut group = writer.next_row_group().unwrap();
        let ids: Vec<i64> = (0..some.len() as i64).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let texts: Vec<ByteArray> = some.iter().map(|text| text.as_str().into()).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&vec![1; texts.len()]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// Batches of 37 rows.
pub fn arrow(documents: &[String], compression: Option<CompressionType>) -> Vec<u8> {
    let batch = |some: &[String]| {
        let ids: Int64Array = (0..some.len() as i64).collect();
        let texts = StringArray::from_iter_values(some);
        RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("text", Arc::new(texts) as _)]).unwrap()
    };
    let batches: Vec<RecordBatch> = documents.chunks(37).map(batch).collect();
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

/// One batch of numbers that say which text.
fn dictionary(documents: &[String]) -> Vec<u8> {
    let texts: DictionaryArray<Int32Type> = documents.iter().map(String::as_str).collect();
    let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as _)]).unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

/// A batch of a text of so many bytes, packed into few, of which its own word is another length.
pub fn lying_arrow(bytes: usize, stated: i64) -> Vec<u8> {
    let mut packed = arrow(&["a".repeat(bytes)], Some(CompressionType::ZSTD));
    let truth = (bytes as i64).to_le_bytes();
    let at = packed.windows(8).rposition(|window| window == truth).unwrap();
    packed[at..at + 8].copy_from_slice(&stated.to_le_bytes());
    packed
}
