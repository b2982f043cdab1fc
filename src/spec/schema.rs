//! The vocabulary in which the language describes itself. One table of keys gives parsing,
//! checking, documentation and the search for misplaced keys.

use super::check::Checking;

/// A key of a table.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may be written.
    pub ty: Type,
    /// What holds if nothing is.
    pub default: Default,
    /// What it means, in one sentence.
    pub doc: &'static str,
}

/// What holds if a key is left out.
#[derive(Debug)]
pub enum Default {
    /// It must not be left out.
    Required,
    /// This, in TOML.
    Value(&'static str),
    /// Something that depends on other keys: said in words, filled in by the check.
    Computed(&'static str),
}

/// What may be written for a key.
#[derive(Debug)]
pub enum Type {
    /// `true` or `false`.
    Flag,
    /// Any text.
    Text,
    /// A path: `~`, `$VAR`, or relative to the spec's folder.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number, both ends included.
    Integer(i64, i64),
    /// A number in this range.
    Number(Range),
    /// One of these words, or a number in this range.
    WordOrNumber(&'static [&'static str], Range),
    /// One of these words, or a whole number, both ends included.
    WordOrInteger(&'static [&'static str], i64, i64),
    /// A list of these, of a length within both ends.
    List(&'static Type, usize, usize),
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table in which one key picks from a registry, with some keys common to all kinds.
    Kind(&'static Choice),
}

/// A table in which the key `word` picks a kind from a registry.
#[derive(Debug)]
pub struct Choice {
    /// The registry's name: `block`, `dataset` ….
    pub registry: &'static str,
    /// The key that picks: `kind` or `probe`.
    pub word: &'static str,
    /// Keys that every kind has.
    pub common: &'static [Key],
    /// The kind of a table that does not say.
    pub default: Option<&'static str>,
}

/// A range of real numbers, finite ends included unless said.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Whether the least itself is allowed.
    pub min_included: bool,
}

impl Range {
    /// Above zero.
    pub const POSITIVE: Range = Range { min: 0.0, max: f64::MAX, min_included: false };
    /// Zero or above.
    pub const NOT_NEGATIVE: Range = Range { min: 0.0, max: f64::MAX, min_included: true };
    /// A share, 0 to 1.
    pub const SHARE: Range = Range { min: 0.0, max: 1.0, min_included: true };

    /// Whether a number lies in it, and in 32 bits.
    pub fn contains(&self, x: f64) -> bool {
        x <= self.max && (x > self.min || (self.min_included && x == self.min)) && !lost(x)
    }

    /// In words.
    pub fn describe(&self) -> String {
        match (self.min_included, self.max == f64::MAX) {
            (true, true) => format!("a number of {} or more", self.min),
            (false, true) => format!("a number above {}", self.min),
            (true, false) => format!("a number from {} to {}", self.min, self.max),
            (false, false) => format!("a number above {}, at most {}", self.min, self.max),
        }
    }
}

impl Type {
    /// In words, for "expected …".
    pub fn describe(&self) -> String {
        match self {
            Type::Flag => "`true` or `false`".into(),
            Type::Text => "text".into(),
            Type::Path => "a path".into(),
            Type::Word(words) => one_of(words),
            Type::Integer(min, max) if min == max => min.to_string(),
            Type::Integer(min, i64::MAX) => format!("a whole number of {min} or more"),
            Type::Integer(min, max) => format!("a whole number from {min} to {max}"),
            Type::Number(range) => range.describe(),
            Type::WordOrNumber(words, range) => format!("{} or {}", one_of(words), range.describe()),
            Type::WordOrInteger(words, min, max) => {
                format!("{} or {}", one_of(words), Type::Integer(*min, *max).describe())
            }
            Type::List(of, min, max) if min == max => format!("a list of {min}, each {}", of.describe()),
            Type::List(of, 0, _) => format!("a list, each {}", of.describe()),
            Type::List(of, min, _) => format!("a list of at least {min}, each {}", of.describe()),
            Type::Table(keys) => {
                let names: Vec<&str> = keys.iter().map(|k| k.name).collect();
                format!("a table with {}", names.join(", "))
            }
            Type::Kind(choice) => format!("a table with `{} = \"…\"`", choice.word),
        }
    }
}

/// Whether a finite number overflows or vanishes in the 32 bits that training has for it.
pub fn lost(x: f64) -> bool {
    x.is_finite() && x != 0.0 && !(x as f32).is_normal()
}

/// `"a", "b" or "c"`.
pub fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("{w:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "nothing".into(),
    }
}

/// An entry of a registry: one kind of block, tokenizer, dataset, probe …
#[derive(Debug)]
pub struct Kind {
    /// The word that picks it.
    pub name: &'static str,
    /// What it is, its formula and its source.
    pub doc: &'static str,
    /// A valid table, in TOML.
    pub example: &'static str,
    /// Its keys, besides those common to its registry.
    pub keys: &'static [Key],
    /// What the rest of a plan may need to know of it.
    pub traits: &'static [Trait],
    /// Checks what one key's type cannot say, and fills in computed defaults.
    pub check: fn(&mut Checking<'_>),
}

/// What the rest of a plan may need to know of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// A block with attention heads.
    Heads,
    /// A block that mixes neighbouring positions by a kernel.
    Kernel,
    /// A block that shares the layer of an attention block right before it (TransformerLens).
    JoinsAttention,
    /// A dataset of text, which needs a tokenizer that reads text.
    ReadsText,
    /// A dataset of documents, which has passages of its own to repeat.
    HasPassages,
    /// A tokenizer that reads text.
    TokenizesText,
    /// A tokenizer that is learned from the dataset's text.
    LearnsFromText,
    /// A probe that needs attention heads.
    NeedsHeads,
    /// A probe that needs attention heads above other heads.
    NeedsHeadsBelow,
    /// A probe that needs a convolution.
    NeedsKernel,
    /// A probe that needs heads whose keys are smeared.
    NeedsSmear,
    /// A probe that needs text to be tokenised.
    NeedsText,
}

impl Kind {
    /// Whether it has a trait.
    pub fn is(&self, a: Trait) -> bool {
        self.traits.contains(&a)
    }
}

/// Everything that can be written: the keys at the top, and the registries.
#[derive(Debug)]
pub struct Language {
    /// The keys of the top level.
    pub top: &'static [Key],
    /// The registries, by name.
    pub registries: Vec<(&'static str, &'static [&'static Kind])>,
    /// The devices this program can use here.
    pub devices: Vec<&'static str>,
    /// Why no GPU is among them, if this program was built for one.
    pub no_gpu: Option<String>,
    /// The report templates that are built in.
    pub templates: Vec<&'static str>,
}

impl Language {
    /// A registry's kinds.
    pub fn kinds(&self, registry: &str) -> &'static [&'static Kind] {
        let found = self.registries.iter().find(|(name, _)| *name == registry);
        found.map_or(&[], |(_, kinds)| kinds)
    }

    /// A kind by its name.
    pub fn kind(&self, registry: &str, name: &str) -> Option<&'static Kind> {
        self.kinds(registry).iter().copied().find(|k| k.name == name)
    }
}
