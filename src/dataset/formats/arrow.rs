//! Arrow, as a Hugging Face cache has it: a stream of record batches, with a column of texts.

use super::{Format, Way};

/// The registry's entry.
pub const FORMAT: Format = Format {
    name: "an Arrow stream",
    endings: &[("arrow", "")],
    begins: |head| head.starts_with(&MARK) || head.starts_with(FILE),
    certain: true,
    #[cfg(feature = "parquet")]
    read: Way::Documents(batches::read),
    #[cfg(not(feature = "parquet"))]
    read: Way::Documents(|reading, name, _| reading.broken(name, super::WITHOUT_PARQUET)),
};

/// Stands before every message.
const MARK: [u8; 4] = [0xff; 4];
/// Stands before the stream in an Arrow *file*, which has an index after it.
const FILE: &[u8; 8] = b"ARROW1\0\0";

#[cfg(feature = "parquet")]
mod batches {
    use super::{FILE, MARK};
    use crate::dataset::documents::Flow;
    use crate::dataset::formats::{Input, LONGEST, Name, Reading};
    use arrow_array::types::Int32Type;
    use arrow_array::{Array, DictionaryArray, LargeStringArray, RecordBatch, StringArray, StringViewArray};
    use arrow_buffer::Buffer;
    use arrow_ipc::reader::StreamDecoder;
    use arrow_ipc::{Message, root_as_message};
    use std::io::{self, ErrorKind, Read};

    /// The longest description of a message, in bytes.
    const HEADER: usize = 16 << 20;
    /// The longest batch, in bytes: it is in memory as a whole.
    const BATCH: usize = 128 << 20;

    pub fn read(reading: &mut Reading<'_, '_>, name: &Name, mut input: Input<'_>) -> Flow {
        let mut decoder = StreamDecoder::new();
        let mut row = 0;
        loop {
            let (message, body) = match next(&mut input) {
                Ok(Some(next)) => next,
                Ok(None) => return Flow::Continue(()),
                Err(error) => return reading.cut(name, error),
            };
            if body > BATCH {
                let mib = body >> 20;
                reading.broken(name, format!("a batch of {mib} MiB; {} is the most", BATCH >> 20))?;
                match io::copy(&mut input.by_ref().take(body as u64), &mut io::sink()) {
                    Ok(_) => continue,
                    Err(error) => return reading.cut(name, error),
                }
            }
            let decoded = whole(&mut input, message, body).and_then(|bytes| {
                let mut buffer = Buffer::from_vec(bytes);
                decoder.decode(&mut buffer).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
            });
            match decoded {
                Ok(Some(batch)) => texts(reading, name, &batch, &mut row)?,
                Ok(None) => {}
                Err(error) => return reading.cut(name, format!("rows from {row} on: {error}")),
            }
        }
    }

    /// A message's description, as it stands there, and the length of its body.
    fn next(input: &mut Input<'_>) -> io::Result<Option<(Vec<u8>, usize)>> {
        let mut start = [0; 8];
        // A stream may end without a word.
        let read = input.by_ref().take(1).read(&mut start)?;
        if read == 0 {
            return Ok(None);
        }
        input.read_exact(&mut start[1..])?;
        if &start == FILE {
            input.read_exact(&mut start)?;
        }
        let length = i32::from_le_bytes([start[4], start[5], start[6], start[7]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length == 0 {
            return Ok(None);
        }
        if start[..4] != MARK || length > HEADER {
            return Err(io::Error::new(ErrorKind::InvalidData, "what should be a message is none"));
        }
        let mut message = start.to_vec();
        if input.by_ref().take(length as u64).read_to_end(&mut message)? < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let body = usize::try_from(parsed(&message)?.bodyLength()).unwrap_or(usize::MAX);
        Ok(Some((message, body)))
    }

    fn parsed(message: &[u8]) -> io::Result<Message<'_>> {
        root_as_message(&message[8..])
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))
    }

    /// A message with its body, whose buffers lie within it.
    fn whole(input: &mut Input<'_>, mut message: Vec<u8>, body: usize) -> io::Result<Vec<u8>> {
        let invalid = |words: &str| Err(io::Error::new(ErrorKind::InvalidData, words));
        let parsed = parsed(&message)?;
        let batch = parsed.header_as_record_batch();
        let batch = batch.or_else(|| parsed.header_as_dictionary_batch().and_then(|d| d.data()));
        let compressed = batch.is_some_and(|batch| batch.compression().is_some());
        let within = |offset: i64, length: i64| {
            let ends = offset.checked_add(length).and_then(|end| usize::try_from(end).ok());
            offset >= 0 && length >= 0 && ends.is_some_and(|end| end <= body)
        };
        let buffers = batch.and_then(|batch| batch.buffers()).into_iter().flatten();
        let buffers: Vec<(i64, i64)> = buffers.map(|buffer| (buffer.offset(), buffer.length())).collect();
        if !buffers.iter().all(|(offset, length)| within(*offset, *length)) {
            return invalid("a buffer lies outside of its batch");
        }
        let start = message.len();
        if input.by_ref().take(body as u64).read_to_end(&mut message)? < body {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if compressed && unpacked(&message[start..], &buffers) > BATCH as u64 {
            return invalid(&format!("unpacked, a batch has more than {} MiB", BATCH >> 20));
        }
        Ok(message)
    }

    /// Bytes of compressed buffers once they are not: each begins with its own length, an i64, beyond which decoding
    /// it fails; -1 where it is as it stands.
    fn unpacked(body: &[u8], buffers: &[(i64, i64)]) -> u64 {
        let stated = |&(offset, length): &(i64, i64)| {
            let stated = body.get(usize::try_from(offset).ok()?..)?.first_chunk()?;
            (length > 0).then(|| u64::try_from(i64::from_le_bytes(*stated)).unwrap_or(0))
        };
        buffers.iter().filter_map(stated).fold(0, u64::saturating_add)
    }

    fn texts(reading: &mut Reading<'_, '_>, name: &Name, batch: &RecordBatch, row: &mut u64) -> Flow {
        let field = reading.options.field;
        let Some(column) = batch.column_by_name(field) else {
            return reading.passed_over(name, format!("there is no column {field:?}"));
        };
        for i in 0..batch.num_rows() {
            let name = Name { shown: format!("{}:{row}", name.shown), ..name.clone() };
            *row += 1;
            match text(column, i) {
                _ if !column.is_valid(i) => reading.broken(&name, "there is no text")?,
                None => return reading.broken(&name, format!("the column {field:?} is not of text")),
                Some(text) if text.len() > LONGEST => {
                    reading.broken(&name, format!("longer than {} MiB", LONGEST >> 20))?;
                }
                Some(text) => reading.document(&name, text.as_bytes().to_vec())?,
            }
        }
        Flow::Continue(())
    }

    /// A row of a column of text.
    fn text(column: &dyn Array, row: usize) -> Option<&str> {
        let any = column.as_any();
        let plain = any.downcast_ref::<StringArray>().map(|column| column.value(row));
        let large = || any.downcast_ref::<LargeStringArray>().map(|column| column.value(row));
        let view = || any.downcast_ref::<StringViewArray>().map(|column| column.value(row));
        let each_once = || {
            let column = any.downcast_ref::<DictionaryArray<Int32Type>>()?;
            text(column.values(), column.key(row)?)
        };
        plain.or_else(large).or_else(view).or_else(each_once)
    }
}
