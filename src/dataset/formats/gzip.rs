//! Gzip, of one member or of many.

use super::{Format, Way};
use flate2::read::MultiGzDecoder;

/// The registry's entry.
pub const FORMAT: Format = Format {
    name: "gzip",
    endings: &[("gz", ""), ("tgz", ".tar")],
    begins: |head| head.starts_with(&[0x1f, 0x8b]),
    certain: true,
    read: Way::Decode(|input| Ok(Box::new(MultiGzDecoder::new(input)))),
};
