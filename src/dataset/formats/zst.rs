//! Zstandard, of one frame or of many.

use super::{Format, Way};
use zstd::stream::read::Decoder;

/// The registry's entry.
pub const FORMAT: Format = Format {
    name: "zstd",
    endings: &[("zst", ""), ("zstd", ""), ("tzst", ".tar")],
    begins: |head| head.starts_with(&FRAME) || (head.get(1..4) == Some(&SKIPPABLE) && head[0] & 0xf0 == 0x50),
    certain: true,
    read: Way::Decode(|input| {
        let mut decoder = Decoder::new(input)?;
        decoder.window_log_max(WINDOW)?;
        Ok(Box::new(decoder))
    }),
};

const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// After 0x50 to 0x5f.
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The largest window that is kept in memory, as a power of two: that of `zstd --long`.
const WINDOW: u32 = 27;
