//! GPT-2's tokenizer, against an independent encoder: `tiktoken-rs`, which also carries the ranks that
//! the built-in merges come from.

use indhead::plan::Chosen;
use indhead::tokenizer::Tokenizer;
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;
use tiktoken_rs::CoreBPE;

static OURS: LazyLock<Tokenizer> = LazyLock::new(|| {
    Tokenizer::from_keys(&Chosen { kind: "gpt2".into(), config: toml::Table::new() }).unwrap()
});
static THEIRS: LazyLock<CoreBPE> = LazyLock::new(|| tiktoken_rs::r50k_base().unwrap());

fn compare(text: &str) {
    let ids = OURS.encode(text).unwrap();
    let theirs = THEIRS.encode_ordinary(text);
    let differs = ids.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
    let beginning: String = text.chars().take(200).collect();
    assert!(ids == theirs, "{beginning:?} differs from token {differs:?} on");
}

#[test]
fn ids_are_the_published_ones() {
    assert_eq!(OURS.encode("Hello world").unwrap(), [15496, 995]);
    assert_eq!(OURS.encode(" Dursley").unwrap(), [360, 1834, 1636]);
    assert_eq!((OURS.d_vocab(), OURS.start()), (50257, 50256));
    assert_eq!(
        OURS.strings(&[360, 1834, 1636, 50256, 0, 198, 220]),
        [" D", "urs", "ley", "<|endoftext|>", "!", "\n", " "]
    );
    // Part of a character is shown by its bytes.
    let ids = OURS.encode("😀").unwrap();
    assert_eq!(OURS.strings(&ids), ["<0xF0><0x9F><0x98>", "<0x80>"]);
}

#[test]
fn the_end_of_a_text_inside_a_text_is_text() {
    let ids = OURS.encode("a<|endoftext|>b").unwrap();
    assert!(!ids.contains(&50256), "{ids:?}");
    assert_eq!(OURS.strings(&ids).concat(), "a<|endoftext|>b");
    compare("a<|endoftext|>b <|endoftext|>\n<|endoftext|>");
}

/// The file in the form of Hugging Face is one: their own reader makes the same ids of it.
#[test]
fn the_file_is_read_by_the_tokenizers_crate() {
    let whole = tokenizers::Tokenizer::from_bytes(OURS.json()).unwrap();
    let text = "The Dursleys' cat\u{a0}ate 12345 mice… 猫が好き\n\n    return x;\r\n";
    assert_eq!(whole.encode(text, false).unwrap().get_ids(), THEIRS.encode_ordinary(text));
    assert_eq!(whole.encode("x<|endoftext|>", false).unwrap().get_ids().last(), Some(&50256));
    assert_eq!(whole.decode(&THEIRS.encode_ordinary(text), false).unwrap(), text);
}

/// `assets/gpt2/merges.bin` is made from the ranks: a token's merge is what is left of its bytes when
/// all merges of lower rank are done. `INSTA_UPDATE=always` writes it anew.
#[test]
#[allow(clippy::disallowed_methods, reason = "as the snapshots do")]
fn the_built_in_merges_come_from_the_ranks() {
    let tokens: Vec<Vec<u8>> = (0..50256).map(|rank| THEIRS.decode_bytes(&[rank]).unwrap()).collect();
    let ranks: HashMap<&[u8], usize> = tokens.iter().enumerate().map(|(i, t)| (t.as_slice(), i)).collect();
    let mut made = Vec::new();
    for (rank, token) in tokens.iter().enumerate().skip(256) {
        let mut ends: Vec<usize> = (0..=token.len()).collect();
        while ends.len() > 3 {
            let joined =
                |i: usize| ranks.get(&token[ends[i - 1]..ends[i + 1]]).copied().filter(|r| *r < rank);
            let (_, at) = (1..ends.len() - 1).filter_map(|i| Some((joined(i)?, i))).min().unwrap();
            ends.remove(at);
        }
        for part in ends.windows(2) {
            made.extend(u16::try_from(ranks[&token[part[0]..part[1]]]).unwrap().to_le_bytes());
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/gpt2/merges.bin");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == made, "assets/gpt2/merges.bin is not what the ranks say");
}

#[test]
fn every_token_has_the_text_of_its_bytes() {
    for id in 0..50256 {
        let bytes = THEIRS.decode_bytes(&[id]).unwrap();
        let said = &OURS.strings(&[id])[0];
        match std::str::from_utf8(&bytes) {
            Ok(text) => assert_eq!(said, text, "{id}"),
            Err(_) => assert!(said.contains("<0x"), "{id}: {said}"),
        }
    }
}

#[test]
fn hostile_texts_have_the_ids_of_an_independent_encoder() {
    let texts = [
        "",
        " ",
        "\n",
        "\0",
        "I'm, you're, he's, we'll, they'd, I've, don't; 'S 'LL 'T 's's'ss ''s ' s x'",
        "it’s it‘s it'S 'tis 'twas o'clock rock'n'roll",
        "1 12 123 1234 12345 3.14159 1,000,000 0x1F ½ ² ³ ① Ⅷ १२३ ٣٤٥ 1st2nd",
        "a  b   c    d     e\t\tf\t g \t h\u{a0}i\u{a0}\u{a0}j\u{3000}k\u{2003}\u{2003}l\u{200b}m\u{feff}n\u{85}o",
        "   leading and trailing   ",
        "trailing line feeds\n\n\n",
        "\n\n\nleading line feeds",
        "a\n\nb\n\n\nc\n \n d\n\t\n\te \n\n f",
        "CRLF\r\nand\r\n\r\nmore\r\r\n\rCR\r",
        "fn main() {\n    let x = vec![1u8; 0xff];\n\tif x.len() >= 2 && !x.is_empty() { println!(\"{x:?}\"); }\n}\n",
        "def f(x):\n        return {**x, 'a': [1, 2, 3][::-1]}  # !important\n\n\n\nclass A(B): pass",
        "𝕌𝕟𝕚𝕔𝕠𝕕𝕖 ﬁ ﷺ ẞ ı İ ß ǆ é e\u{301} Å A\u{30a} ŀ",
        "👍🏽👨‍👩‍👧‍👦🏳️‍🌈🇩🇪🇫🇷 😀😀😀 ☃️ ™️ 1️⃣",
        "猫が好きです。我不会说中文，但是我会说一点。한국어는 어렵다. עברית العربية हिन्दी ไทย ქართული",
        "\u{fffd}\u{fffd} \u{ffff} \u{10ffff} \u{e000} \u{1f} \u{7f} \u{1b}[31mred\u{1b}[0m \u{8}\u{b}\u{c}\u{1c}\u{1d}\u{1e}",
        "\u{202e}right to left\u{202c} \u{2028}\u{2029} zero\u{200d}width\u{200c}joiners\u{ad}",
        "<|endoftext|><|im_start|><s></s>[PAD]<unk>Ġ Ċ Ġhello âĢ",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "----====####****....,,,,;;;;!!!!????||||\\\\\\\\////~~~~````^^^^____%%%%$$$$@@@@&&&&",
        " SolidGoldMagikarp petertodd rawdownload cloneembedreportprint",
        "https://example.com/a?b=c&d=%20#e user@example.com C:\\Windows\\System32 ../../etc/passwd",
    ];
    texts.iter().for_each(|text| compare(text));
    compare(&texts.concat());
    compare(&"ab".repeat(5_000));
    // Longer than what is encoded at once, and without a line end.
    compare(&"It's 12 o'clock, (say) the  two dogs' owners\u{a0}there. ".repeat(12_000));
}

/// Draws from a linear congruence, so that what is compared is the same every time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn character(&mut self) -> char {
        let range = match self.below(9) {
            0 => 0x00..0x20,
            1 => 0x80..0x250,
            2 => 0x2000..0x2070,
            3 => 0x300..0x700,
            4 => 0x4e00..0x9fff,
            5 => 0x1f300..0x1fa00,
            6 => 0..0x11_0000,
            _ => 0x20..0x7f,
        };
        let code = range.start + self.below(range.len());
        char::from_u32(code as u32).unwrap_or('\u{fffd}')
    }

    fn piece(&mut self) -> String {
        const PIECES: [&str; 16] = [
            " ", "  ", "\n", "\r\n", "\t", "'s", "'ll", "'", "the", " The", "12", " 345", "...", " (",
            "\u{a0}", "é",
        ];
        match self.below(3) {
            0 => self.character().to_string(),
            _ => PIECES[self.below(PIECES.len())].to_string(),
        }
    }
}

#[test]
fn random_texts_have_the_ids_of_an_independent_encoder() {
    let mut draws = Draws(1);
    for _ in 0..20_000 {
        let pieces = draws.below(30);
        compare(&(0..pieces).map(|_| draws.piece()).collect::<String>());
    }
}

/// A long text is encoded in pieces, and that makes no difference.
#[test]
fn long_texts_have_the_ids_of_an_independent_encoder() {
    let mut draws = Draws(2);
    for ends in ["\n", "\n\n", "\n \n\n", " \n", "\r\n"] {
        let mut text = String::new();
        while text.len() < 900_000 {
            text += &format!("line {} says {}{ends}", draws.below(1000), draws.piece());
        }
        compare(&text);
    }
}
