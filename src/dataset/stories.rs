//! Generated stories: English-like text in which invented, many-syllable names recur.
//!
//! A name cannot be known beforehand; its second mention can be completed from its first. How often
//! names recur and how uneven the words are decides whether a model learns to use its context
//! (Chan et al. 2022): both are knobs.

use super::documents::{Document, Documents, Take};
use super::text::VALIDATION_FRACTION;
use super::{DatasetKind, Event, Source};
use crate::error::{Error, Result};
use crate::plan::Chosen;
use crate::random::{self, Stream};
use crate::spec::check::nothing;
use crate::spec::{Default, Key, Kind, Range, Trait, Type};
use serde::Deserialize;
use std::cell::Cell;

/// The registry's entry.
pub const KIND: DatasetKind = DatasetKind {
    kind: Kind {
        name: "stories",
        doc: "Seeded, endless, English-like stories with a Zipfian vocabulary, in which invented names of \
              many syllables recur: the effect of \"Dursley\" with something to complete. Story i is a \
              function of the seed and i.",
        example: "kind = \"stories\"\nnames_per_story = 4\nburstiness = 0.9",
        keys: &[
            Key {
                name: "names_per_story",
                ty: Type::Integer(1, 1000),
                default: Default::Value("4"),
                doc: "names a story returns to",
            },
            Key {
                name: "burstiness",
                ty: Type::Number(Range::SHARE),
                default: Default::Value("0.9"),
                doc: "share of the mentions that return to one of the story's names, rather than to a fresh one",
            },
            Key {
                name: "zipf_exponent",
                ty: Type::Number(Range::NOT_NEGATIVE),
                default: Default::Value("1.0"),
                doc: "word of rank r has a weight of r to the minus this",
            },
            Key {
                name: "bytes",
                ty: Type::Integer(10_000, 1 << 40),
                default: Default::Value("8_000_000"),
                doc: "about how much text is made",
            },
            VALIDATION_FRACTION,
        ],
        traits: &[Trait::ReadsText, Trait::HasPassages],
        check: nothing,
    },
    source: Source::Documents(open),
};

#[derive(Debug, Clone, Deserialize)]
struct Config {
    names_per_story: usize,
    burstiness: f64,
    zipf_exponent: f64,
    bytes: u64,
    validation_fraction: f64,
}

/// About how long a story is.
const STORY_BYTES: u64 = 900;

#[derive(Debug)]
struct Stories {
    config: Config,
    seed: u64,
    nouns: Zipf,
    traits: Zipf,
    deeds: Zipf,
}

fn open(chosen: &Chosen, seed: u64, _: &mut dyn FnMut(Event)) -> Result<Box<dyn Documents>> {
    let config: Config = chosen.config().map_err(|e| Error::message(e.to_string()))?;
    let zipf = |words: &[&str]| Zipf::new(words.len(), config.zipf_exponent);
    let (nouns, traits, deeds) = (zipf(NOUNS), zipf(TRAITS), zipf(DEEDS));
    Ok(Box::new(Stories { config, seed, nouns, traits, deeds }))
}

impl Documents for Stories {
    fn identity(&self) -> blake3::Hash {
        // The text is a function of these and of this file's words.
        blake3::hash(format!("{:?} {} {}", self.config, self.seed, include_str!("stories.rs")).as_bytes())
    }

    fn files(&self) -> usize {
        (self.config.bytes / STORY_BYTES).max(8) as usize
    }

    fn size(&self, _: usize) -> u64 {
        STORY_BYTES
    }

    fn read(&self, file: usize, _: u64, _: &Cell<u64>, take: &mut Take<'_>) -> u64 {
        let _ = take(Ok(Document { text: self.story(file as u64), replaced: false }));
        STORY_BYTES
    }

    fn validation_fraction(&self) -> f64 {
        self.config.validation_fraction
    }

    fn nothing(&self) -> String {
        "the stories are empty".into()
    }
}

impl Stories {
    /// Story number `index`.
    fn story(&self, index: u64) -> String {
        let mut rng = random::stream(self.seed, "stories", index);
        let cast: Vec<Name> = (0..self.config.names_per_story).map(|_| Name::invent(&mut rng)).collect();
        let mut story = String::new();
        while (story.len() as u64) < STORY_BYTES - 60 {
            let template = TEMPLATES[random::below(&mut rng, TEMPLATES.len() as u64) as usize];
            if !story.is_empty() {
                story.push(if random::below(&mut rng, 5) == 0 { '\n' } else { ' ' });
            }
            self.sentence(template, &cast, &mut rng, &mut story);
        }
        story.push('\n');
        story
    }

    /// Fills a template: N a name, F a full name, n a noun, a a trait, d a deed; all else stands.
    fn sentence(&self, template: &str, cast: &[Name], rng: &mut Stream, out: &mut String) {
        let mut chars = template.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('N') => out.push_str(&self.mention(cast, rng).first),
                Some('F') => {
                    let name = self.mention(cast, rng);
                    out.push_str(&format!("{} {}", name.first, name.last));
                }
                Some('n') => out.push_str(NOUNS[self.nouns.draw(rng)]),
                Some('a') => out.push_str(TRAITS[self.traits.draw(rng)]),
                Some('d') => out.push_str(DEEDS[self.deeds.draw(rng)]),
                other => out.extend(other),
            }
        }
    }

    fn mention(&self, cast: &[Name], rng: &mut Stream) -> Name {
        match random::unit(rng) < self.config.burstiness {
            true => cast[random::below(rng, cast.len() as u64) as usize].clone(),
            false => Name::invent(rng),
        }
    }
}

/// An invented person.
#[derive(Debug, Clone)]
struct Name {
    first: String,
    last: String,
}

impl Name {
    fn invent(rng: &mut Stream) -> Name {
        Name { first: word(rng), last: word(rng) }
    }
}

/// Two to four syllables of a wide inventory, so that the pieces of names span many tokens: a model
/// whose repeats use few tokens grows a head for those tokens only.
fn word(rng: &mut Stream) -> String {
    let pick = |rng: &mut Stream, from: &[&'static str]| from[random::below(rng, from.len() as u64) as usize];
    let syllables = 2 + random::below(rng, 3);
    let mut name = String::new();
    for i in 0..syllables {
        name.push_str(pick(rng, ONSETS));
        name.push_str(pick(rng, NUCLEI));
        if i + 1 == syllables || random::below(rng, 3) == 0 {
            name.push_str(pick(rng, CODAS));
        }
    }
    let mut letters = name.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// Ranks 0 to n - 1 with weights `(rank + 1)^-exponent`.
#[derive(Debug)]
struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    fn new(n: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += ((rank + 1) as f64).powf(-exponent);
            sum
        };
        Zipf { cumulative: (0..n).map(weight).collect() }
    }

    fn draw(&self, rng: &mut Stream) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let at = random::unit(rng) * total;
        self.cumulative.partition_point(|c| *c <= at).min(self.cumulative.len() - 1)
    }
}

const ONSETS: &[&str] = &[
    "b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j", "k", "kl",
    "kn", "kr", "l", "m", "n", "p", "ph", "pl", "pr", "qu", "r", "rh", "s", "sc", "sh", "sk", "sl", "sm",
    "sn", "sp", "st", "str", "sv", "t", "th", "tr", "tw", "v", "vl", "vr", "w", "wh", "y", "z", "zh", "zl",
];
const NUCLEI: &[&str] = &[
    "a", "e", "i", "o", "u", "y", "ae", "ai", "au", "ea", "ei", "eo", "ia", "ie", "io", "oa", "oe", "ou",
    "ua", "ui",
];
const CODAS: &[&str] = &[
    "", "b", "ck", "d", "ff", "g", "l", "ld", "lm", "lt", "m", "mb", "n", "nd", "ng", "nk", "nt", "p", "r",
    "rd", "rk", "rm", "rn", "rt", "s", "sk", "st", "t", "th", "v", "x", "z",
];
const NOUNS: &[&str] = &[
    "house",
    "letter",
    "garden",
    "boat",
    "key",
    "horse",
    "lamp",
    "river",
    "book",
    "road",
    "coat",
    "market",
    "bridge",
    "clock",
    "window",
    "song",
    "stone",
    "field",
    "kitchen",
    "tower",
    "ship",
    "basket",
    "door",
    "winter",
    "candle",
    "orchard",
    "violin",
    "harbour",
    "mirror",
    "wagon",
    "cellar",
    "ladder",
    "compass",
    "mill",
    "lantern",
    "blanket",
    "teapot",
    "ribbon",
    "map",
    "anchor",
    "barrel",
    "chimney",
    "forest",
    "feather",
    "hammer",
    "island",
    "journal",
    "kettle",
    "lighthouse",
    "meadow",
    "needle",
    "oven",
    "parcel",
    "quilt",
    "rope",
    "saddle",
    "trumpet",
    "umbrella",
    "valley",
    "whistle",
    "yard",
    "attic",
    "bell",
    "canal",
    "drawer",
    "engine",
    "fence",
    "glove",
];
const TRAITS: &[&str] = &[
    "old",
    "small",
    "quiet",
    "cold",
    "bright",
    "heavy",
    "broken",
    "strange",
    "green",
    "empty",
    "warm",
    "narrow",
    "yellow",
    "forgotten",
    "wooden",
    "silver",
    "crooked",
    "distant",
    "gentle",
    "hidden",
    "iron",
    "loud",
    "muddy",
    "painted",
    "rusty",
    "sudden",
    "tall",
    "unlucky",
    "velvet",
    "weary",
    "ancient",
    "blue",
    "careful",
    "dusty",
];
const DEEDS: &[&str] = &[
    "found",
    "carried",
    "wanted",
    "mended",
    "sold",
    "lost",
    "painted",
    "watched",
    "remembered",
    "hid",
    "borrowed",
    "opened",
    "bought",
    "cleaned",
    "followed",
    "drew",
    "guarded",
    "measured",
    "stole",
    "described",
    "counted",
    "burned",
    "dreamed of",
    "returned",
    "traded",
    "wrapped",
    "lifted",
    "listened to",
    "praised",
    "feared",
];
const TEMPLATES: &[&str] = &[
    "%F lived near the %a %n.",
    "%N %d the %n, and %N %d it too.",
    "\"Where is the %n?\" asked %N. \"Ask %N,\" said %N.",
    "Every morning %N and %N walked to the %n.",
    "One day %F %d a %a %n.",
    "\"I never liked that %n,\" said %F.",
    "%N gave the %n to %N.",
    "The %n belonged to %F, who had %d it for years.",
    "When %N came home, %N had already %d the %a %n.",
    "Nobody but %N knew about the %n.",
    "%N wrote to %F about the %n.",
    "After that, %N and %N never spoke of the %a %n.",
    "\"%N,\" said %N, \"you have %d my %n.\"",
    "It was %N who %d the %n, not %N.",
    "%F and %F met beside the %n.",
    "The %a %n made %N laugh.",
    "So %N waited for %N at the %n until night.",
    "%N told %N that the %n was %a.",
    "Then %F %d the %n and left.",
    "In the end %N kept the %n, and %N kept the %n.",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn stories(burstiness: f64) -> Stories {
        let config = Config {
            names_per_story: 3,
            burstiness,
            zipf_exponent: 1.0,
            bytes: 100_000,
            validation_fraction: 0.02,
        };
        let zipf = |words: &[&str]| Zipf::new(words.len(), 1.0);
        Stories { config, seed: 5, nouns: zipf(NOUNS), traits: zipf(TRAITS), deeds: zipf(DEEDS) }
    }

    /// Words that begin with a capital in the middle of a sentence, and how many different ones.
    fn names(story: &str) -> (usize, usize) {
        let words: Vec<&str> = story.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).collect();
        let known =
            ["The", "Then", "Where", "Ask", "Every", "One", "When", "Nobody", "After", "It", "So", "In", "I"];
        let is_name = |w: &&&str| w.starts_with(char::is_uppercase) && !known.contains(w);
        let names: Vec<&&str> = words.iter().filter(is_name).collect();
        let mut different = names.clone();
        different.sort();
        different.dedup();
        (names.len(), different.len())
    }

    #[test]
    fn a_story_is_a_function_of_seed_and_number() {
        assert_eq!(stories(0.9).story(3), stories(0.9).story(3));
        assert_ne!(stories(0.9).story(3), stories(0.9).story(4));
    }

    #[test]
    fn burstiness_is_how_much_names_recur() {
        let share = |burstiness| {
            let (all, different) = (0..50)
                .map(|i| names(&stories(burstiness).story(i)))
                .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            different as f64 / all as f64
        };
        let (bursty, flat) = (share(1.0), share(0.0));
        assert!(bursty < 0.4 && flat > 0.95, "{bursty} {flat}");
    }

    #[test]
    fn frequent_words_are_as_frequent_as_zipf_says() {
        let zipf = Zipf::new(10, 1.0);
        let mut rng = random::stream(0, "test", 0);
        let mut counts = [0; 10];
        (0..30_000).for_each(|_| counts[zipf.draw(&mut rng)] += 1);
        let harmonic: f64 = (1..=10).map(|r| 1.0 / f64::from(r)).sum();
        for (rank, count) in counts.iter().enumerate() {
            let expected = 30_000.0 / (rank + 1) as f64 / harmonic;
            assert!((f64::from(*count) - expected).abs() < 0.1 * expected, "{counts:?}");
        }
    }
}
