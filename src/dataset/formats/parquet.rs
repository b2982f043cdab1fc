//! Parquet: a column of texts.

use super::{Format, Way};

/// The registry's entry.
pub const FORMAT: Format = Format {
    name: "Parquet",
    endings: &[("parquet", "")],
    begins: |head| head.starts_with(b"PAR1") && head.iter().any(|b| *b < b'\t'),
    certain: true,
    #[cfg(feature = "parquet")]
    read: Way::File(rows::read),
    #[cfg(not(feature = "parquet"))]
    read: Way::File(|reading, name, _| reading.broken(name, super::WITHOUT_PARQUET)),
};

#[cfg(feature = "parquet")]
mod rows {
    use crate::dataset::documents::Flow;
    use crate::dataset::formats::{LONGEST, Name, Reading};
    use parquet::basic::Type;
    use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::errors::ParquetError;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use std::fs::File;

    pub fn read(reading: &mut Reading<'_, '_>, name: &Name, file: &File) -> Flow {
        let opened = file.try_clone().map_err(ParquetError::from).and_then(SerializedFileReader::new);
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return reading.cut(name, error),
        };
        let column = match column(&opened, reading.options.field) {
            Ok(column) => column,
            Err(why) => return reading.passed_over(name, why),
        };
        let size = file.metadata().map_or(0, |file| file.len());
        let all = opened.metadata().file_metadata().num_rows().max(1) as f64;
        let mut row = 0;
        for group in 0..opened.num_row_groups() {
            reading.consumed.set((size as f64 * row as f64 / all) as u64);
            let metadata = opened.metadata().row_group(group);
            let rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
            match opened.get_row_group(group).and_then(|group| group.get_column_reader(column)) {
                Ok(ColumnReader::ByteArrayColumnReader(values)) => {
                    let optional = metadata.column(column).column_descr().max_def_level();
                    texts(reading, name, values, optional, row)?;
                }
                Ok(_) => reading.broken(name, "its column is not of text")?,
                Err(error) => reading.cut(name, format!("rows from {row} on: {}", told(&error)))?,
            }
            row += rows;
            // The next group is read all the same.
            reading.tell_cut((size as f64 * row as f64 / all) as u64)?;
        }
        Flow::Continue(())
    }

    /// What the crate says, but for how it was built.
    fn told(error: &ParquetError) -> String {
        let said = error.to_string();
        match said.split_once("Disabled feature at compile time: ") {
            Some((_, codec)) => format!("{codec} is not unpacked here: write it anew with zstd"),
            None => said,
        }
    }

    /// Where the column is.
    fn column(file: &SerializedFileReader<File>, field: &str) -> Result<usize, String> {
        let schema = file.metadata().file_metadata().schema_descr();
        let Some(at) = schema.columns().iter().position(|c| c.path().parts() == [field]) else {
            let names: Vec<String> = schema.columns().iter().take(20).map(|c| c.path().string()).collect();
            return Err(format!("there is no column {field:?}, but {}", names.join(", ")));
        };
        let column = schema.column(at);
        match column.physical_type() == Type::BYTE_ARRAY && column.max_rep_level() == 0 {
            true => Ok(at),
            false => Err(format!("the column {field:?} is not of text")),
        }
    }

    /// Gives the texts of a group of rows, the first of which has this number.
    fn texts(
        reading: &mut Reading<'_, '_>,
        name: &Name,
        mut column: ColumnReaderImpl<ByteArrayType>,
        optional: i16,
        mut row: u64,
    ) -> Flow {
        let (mut values, mut levels) = (Vec::<ByteArray>::new(), Vec::new());
        loop {
            values.clear();
            levels.clear();
            let known = (optional > 0).then_some(&mut levels);
            // One at a time: a row keeps its page in memory.
            match column.read_records(1, known, None, &mut values) {
                Ok((0, _, _)) => return Flow::Continue(()),
                Ok(_) => {}
                Err(error) => return reading.cut(name, format!("rows from {row} on: {}", told(&error))),
            }
            let name = Name { shown: format!("{}:{row}", name.shown), ..name.clone() };
            match values.first() {
                None => reading.broken(&name, "there is no text")?,
                Some(text) if text.len() > LONGEST => {
                    reading.broken(&name, format!("longer than {} MiB", LONGEST >> 20))?;
                }
                Some(text) => reading.document(&name, text.data().to_vec())?,
            }
            row += 1;
        }
    }
}
