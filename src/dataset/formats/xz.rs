//! XZ, of one stream or of many.

use super::{Format, Way};
use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

/// The registry's entry.
pub const FORMAT: Format = Format {
    name: "xz",
    endings: &[("xz", ""), ("txz", ".tar")],
    begins: |head| head.starts_with(b"\xfd7zXZ\0"),
    certain: true,
    read: Way::Decode(|input| {
        let stream = Stream::new_stream_decoder(MEMORY, CONCATENATED)?;
        Ok(Box::new(XzDecoder::new_stream(input, stream)))
    }),
};

/// The most memory for decoding, in bytes: `xz -9` takes 65 MiB.
const MEMORY: u64 = 80 << 20;
