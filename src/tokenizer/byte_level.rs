//! GPT-2's printable stand-ins for bytes, in which byte-level vocabularies are written
//! (Radford et al. 2019, `encoder.py`): printable bytes of Latin-1 stand for themselves, the rest
//! for the characters from U+0100 on.

/// The character that stands for a byte.
pub fn character(byte: u8) -> char {
    let shift = match byte {
        0..=0x20 => 0x100,
        0x7f..=0xa0 => 0x100 + 0x21 - 0x7f,
        0xad => 0x143 - 0xad,
        _ => 0,
    };
    char::from_u32(u32::from(byte) + shift).unwrap_or('\u{fffd}')
}

/// The byte a character stands for, if it stands for one.
pub fn byte(character_: char) -> Option<u8> {
    let code = u32::from(character_);
    let byte = match code {
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7f,
        0x143 => 0xad,
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => code,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// What a token in stand-ins says; bytes that are not whole characters read `<0xE2>`. A token
/// that has other characters is not in stand-ins, and says itself.
pub fn decode(token: &str) -> String {
    let Some(bytes) = token.chars().map(byte).collect::<Option<Vec<u8>>>() else {
        return token.to_string();
    };
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|b| format!("<0x{b:02X}>")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn encode(text: &str) -> String {
        text.bytes().map(character).collect()
    }

    #[test]
    fn stand_ins_are_those_of_the_tokenizers_crate() {
        let ours: BTreeSet<char> = (0..=255).map(character).collect();
        let theirs = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        assert_eq!(ours, theirs.into_iter().collect());
        assert!((0..=255).all(|b| byte(character(b)) == Some(b)));
        assert_eq!(encode(" a\n"), "ĠaĊ");
        assert_eq!(byte('一'), None);
    }

    #[test]
    fn broken_characters_are_shown_by_their_bytes() {
        assert_eq!(decode(&encode("é ")), "é ");
        assert_eq!(decode("âĢ"), "<0xE2><0x80>");
        assert_eq!(decode("aÃ"), "a<0xC3>");
        assert_eq!(decode("<一>"), "<一>");
    }
}
