//! Hand-made subjects and material, so that probes are tested on cases whose answer is known.

use super::{Context, Material, ProbeKind};
use crate::dataset::Bigrams;
use crate::error::Result;
use crate::model::{HeadValues, Intervention, Losses, Parameter, Patterns, Streams, Subject};
use crate::plan::Chosen;
use crate::random::{self, Stream};
use crate::record::Table;
use crate::spec::check::{BlockFacts, Checking, Facts, Findings};
use crate::spec::{Default, Key};
use crate::tokenizer::Tokenizer;

/// What is said of a sequence: a pattern `[query, key]`, or log-probabilities `[position, d_vocab]`.
type OfSequence<'a> = &'a dyn Fn(&[usize]) -> Vec<f32>;

/// One layer with one head whose pattern is a function of the sequence, and losses that fall by a
/// thousandth of a nat with every position. It predicts every token alike if nothing else is said; its
/// stream is the number of the token, which its layer doubles.
struct Hand<'a> {
    n_ctx: usize,
    d_vocab: usize,
    pattern: OfSequence<'a>,
    log_probs: Option<OfSequence<'a>>,
}

impl Subject for Hand<'_> {
    fn n_ctx(&self) -> usize {
        self.n_ctx
    }
    fn d_vocab(&self) -> usize {
        self.d_vocab
    }
    fn n_layers(&self) -> usize {
        1
    }
    fn heads(&self) -> &[(usize, usize)] {
        &[(0, 1)]
    }
    fn losses_under(&self, windows: &[Vec<usize>], interventions: &[Intervention]) -> Result<Vec<Losses>> {
        let of_window = |w: &Vec<usize>| (1..w.len()).map(|i| 5.0 - i as f32 / 1000.0).collect();
        Ok(vec![windows.iter().map(of_window).collect(); interventions.len()])
    }
    fn patterns(&self, sequences: &[Vec<usize>]) -> Result<Patterns> {
        let data = sequences.iter().flat_map(|s| (self.pattern)(s)).collect();
        let positions = sequences.first().map_or(0, Vec::len);
        Ok(Patterns { batch: sequences.len(), positions, layers: vec![(0, 1, data)] })
    }
    fn log_probs(&self, sequence: &[usize]) -> Result<Vec<f32>> {
        if let Some(log_probs) = self.log_probs {
            return Ok(log_probs(sequence));
        }
        let uniform = -(self.d_vocab as f32).ln();
        Ok(vec![uniform; sequence.len() * self.d_vocab])
    }
    fn streams(&self, sequences: &[Vec<usize>]) -> Result<Streams> {
        let embedding: Vec<f32> = sequences.iter().flatten().map(|&token| token as f32).collect();
        let doubled = embedding.iter().map(|x| 2.0 * x).collect();
        let after = vec![("embedding".into(), embedding), ("block 0, attention".into(), doubled)];
        Ok(Streams { d_model: 1, inputs: 1, after })
    }
    fn values(&self, sequences: &[Vec<usize>]) -> Result<HeadValues> {
        let positions = sequences.first().map_or(0, Vec::len);
        Ok(HeadValues { batch: sequences.len(), positions, layers: Vec::new() })
    }
    fn parameter(&self, _: &str) -> Option<Parameter> {
        None
    }
}

/// Attention spread evenly over the keys that `keys` names for each query; none named: on the first.
pub fn pattern_of(sequence: &[usize], keys: &dyn Fn(&[usize], usize) -> Vec<usize>) -> Vec<f32> {
    let width = sequence.len();
    let mut pattern = vec![0.0; width * width];
    for query in 0..width {
        let mut named = keys(sequence, query);
        if named.is_empty() {
            named.push(0);
        }
        for key in &named {
            pattern[query * width + key] += 1.0 / named.len() as f32;
        }
    }
    pattern
}

/// Random tokens for windows and passages.
pub struct Bench {
    n_ctx: usize,
    d_vocab: usize,
    frequencies: Vec<u64>,
    bigrams: Bigrams,
    tokenizer: Tokenizer,
}

impl Bench {
    pub fn new(n_ctx: usize, d_vocab: usize) -> Self {
        let config = toml::from_str(&format!("d_vocab = {d_vocab}")).unwrap();
        let chosen = Chosen { kind: "ids".into(), config };
        let tokenizer = Tokenizer::from_keys(&chosen).unwrap();
        let bigrams = Bigrams::count(d_vocab, [(0..d_vocab).collect()]);
        Bench { n_ctx, d_vocab, frequencies: vec![1; d_vocab], bigrams, tokenizer }
    }

    /// The same, of bytes, for probes that read a text.
    pub fn text(n_ctx: usize) -> Self {
        let chosen = Chosen { kind: "bytes".into(), config: toml::Table::new() };
        let tokenizer = Tokenizer::from_keys(&chosen).unwrap();
        Bench { tokenizer, ..Bench::new(n_ctx, 257) }
    }

    /// A probe's parameters with its defaults, as planning would fill them in.
    pub fn resolve(&self, probe: &ProbeKind, parameters: &str) -> toml::Table {
        let mut config: toml::Table = toml::from_str(parameters).unwrap();
        for Key { name, default, .. } in probe.kind.keys {
            if let Default::Value(toml) = default {
                let parsed: toml::Table = toml::from_str(&format!("x = {toml}")).unwrap();
                config.entry(*name).or_insert(parsed["x"].clone());
            }
        }
        let block = BlockFacts { layer: 0, n_heads: 1, kernel: false, smeared: false };
        let facts = Facts {
            n_ctx: Some(self.n_ctx),
            d_vocab: Some(self.d_vocab),
            blocks: vec![block],
            has_passages: Some(true),
            ..Facts::default()
        };
        let mut findings = Findings::default();
        findings.sources.add(crate::spec::Source {
            name: "test".into(),
            text: String::new(),
            folder: "".into(),
        });
        let path = "analyses.0".into();
        (probe.kind.check)(&mut Checking {
            config: &mut config,
            facts: &facts,
            path,
            findings: &mut findings,
        });
        assert!(!findings.failed(), "{:?}", findings.diagnostics);
        config
    }

    /// Measures a head with this pattern.
    pub fn measure(
        &self,
        probe: &ProbeKind,
        parameters: &str,
        pattern: &dyn Fn(&[usize]) -> Vec<f32>,
    ) -> Vec<Table> {
        self.run(
            probe,
            parameters,
            Hand { n_ctx: self.n_ctx, d_vocab: self.d_vocab, pattern, log_probs: None },
        )
    }

    /// Measures a model that predicts so: log-probabilities, `[position, d_vocab]`.
    pub fn measure_predicting(
        &self,
        probe: &ProbeKind,
        parameters: &str,
        log_probs: &dyn Fn(&[usize]) -> Vec<f32>,
    ) -> Vec<Table> {
        let (n_ctx, d_vocab, pattern) =
            (self.n_ctx, self.d_vocab, &|s: &[usize]| vec![0.0; s.len() * s.len()]);
        self.run(probe, parameters, Hand { n_ctx, d_vocab, pattern, log_probs: Some(log_probs) })
    }

    fn run(&self, probe: &ProbeKind, parameters: &str, subject: Hand<'_>) -> Vec<Table> {
        let config = self.resolve(probe, parameters);
        let rng = random::stream(0, "probe/test", 0);
        let context =
            Context { subject: &subject, material: self, rng, config: &config, step: 3, tokens: 300 };
        (probe.measure)(&context).unwrap()
    }
}

impl Material for Bench {
    fn validation(&self, count: usize) -> Vec<Vec<usize>> {
        self.passages(&mut random::stream(0, "validation", 0), count, self.n_ctx + 1)
    }
    fn passages(&self, rng: &mut Stream, count: usize, length: usize) -> Vec<Vec<usize>> {
        let token = |rng: &mut Stream| 1 + random::below(rng, self.d_vocab as u64 - 1) as usize;
        (0..count).map(|_| (0..length).map(|_| token(rng)).collect()).collect()
    }
    fn frequencies(&self) -> &[u64] {
        &self.frequencies
    }
    fn bigrams(&self) -> &Bigrams {
        &self.bigrams
    }
    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}
