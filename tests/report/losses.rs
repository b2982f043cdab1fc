//! Tables of the probes of losses and of the stream, made up.

use super::probes::{STEPS, analysis, losses, noise, rise};
use indhead::record::{Analysis, Cell, Table};

/// One analysis of each.
pub fn all(tokens: &[&str]) -> Vec<Analysis> {
    vec![
        per_token_loss(tokens),
        loss_pca(),
        ngram_baseline(),
        stream_composition(),
        bayes_bigram(),
        last_occurrence(),
    ]
}

/// Tokens that complete what came before become easy with the head.
pub fn per_token_loss(tokens: &[&str]) -> Analysis {
    let columns = [("step", ""), ("tokens", "tokens"), ("position", ""), ("token", ""), ("loss", "nats")];
    let mut table = Table::new("losses", &columns);
    for step in STEPS {
        for (position, token) in tokens.iter().enumerate() {
            let pair = |i: usize| (tokens[i - 1], tokens[i]);
            let again = position > 1 && (1..position).any(|i| pair(i) == pair(position));
            let learned = 4.0 * (-(step as f64) / 60.0).exp();
            let gain = if again { 2.6 } else { -0.3 + 0.8 * noise(position as u64) } * rise(step);
            let loss = if position == 0 { f64::NAN } else { 3.2 + learned - gain };
            let place = [Cell::from(step), Cell::from(4096 * step), position.into()];
            table.push(place.into_iter().chain([(*token).into(), loss.into()]));
        }
    }
    let text = toml::Value::String(tokens.concat());
    analysis("per_token_loss", "per_token_loss", &format!("text = {text}"), vec![table])
}

/// First along one axis, then across.
fn loss_pca() -> Analysis {
    let path = losses("path", ["component_1", "component_2", ""], |s| {
        let (learned, turn) = (1.0 - (-(s as f64) / 60.0).exp(), rise(s));
        [2.4 * learned - 1.9 + 0.2 * turn, 0.5 * turn - 0.25 * learned, 0.0]
    });
    let mut explained = Table::new("explained", &[("component", ""), ("share", "share of variance")]);
    explained.push(["component_1".into(), 0.931.into()]);
    explained.push(["component_2".into(), 0.048.into()]);
    analysis("loss_pca", "loss_pca", "sequences = 32", vec![path, explained])
}

fn ngram_baseline() -> Analysis {
    let scores = losses("scores", ["unigram", "bigram", ""], |s| {
        let late = |pace: f64| 1.0 - (-(s as f64) / pace).exp();
        [2.2 - 1.9 * late(9.0) + 1.6 * late(70.0), 3.4 - 2.9 * late(60.0) + 0.5 * rise(s), 0.0]
    });
    analysis("ngram_baseline", "ngram_baseline", "sequences = 8", vec![scores])
}

/// A quarter of the tokens can be copied from their context; those are learned when the head forms.
fn last_occurrence() -> Analysis {
    let columns =
        [("step", ""), ("tokens", "tokens"), ("group", ""), ("share", "share of tokens"), ("loss", "nats")];
    let mut groups = Table::new("groups", &columns);
    for step in STEPS {
        let late = 1.0 - (-(step as f64) / 30.0).exp();
        let of = [
            ("context", 0.11, 6.2 - 0.9 * late - 2.8 * rise(step)),
            ("both", 0.14, 6.2 - 3.6 * late - 1.6 * rise(step)),
            ("other", 0.75, 6.2 - 2.1 * late),
        ];
        for (group, share, loss) in of {
            groups.push([step.into(), (step * 4096).into(), group.into(), share.into(), loss.into()]);
        }
    }
    analysis("last_occurrence", "last_occurrence", "sequences = 64", vec![groups])
}

/// Two blocks, the first of which comes to drown the embedding.
fn stream_composition() -> Analysis {
    let share = ("share", "share of variance");
    let place = [("step", ""), ("tokens", "tokens"), ("depth", "blocks")];
    let mut shares = Table::new("shares", &[&place[..], &[("source", ""), share]].concat());
    let mut identity = Table::new("identity", &[&place[..], &[share]].concat());
    for step in STEPS {
        let first = 0.35 + 0.3 * rise(step);
        let second = -0.08 + 0.4 * rise(step);
        let divided: [&[f64]; 3] =
            [&[0.97, 0.03], &[1.0 - first - 0.03, 0.03, first], &[1.0 - first - second, 0.0, first, second]];
        let sources = ["embedding", "positions", "block 0, conv1d", "block 1, attention"];
        for (depth, all) in divided.into_iter().enumerate() {
            for (source, share) in sources.into_iter().zip(all) {
                let row = [Cell::from(step), Cell::from(4096 * step), depth.into(), source.into()];
                shares.push(row.into_iter().chain([(*share).into()]));
            }
            let explained = all[0] + 0.1 * noise(step + depth as u64);
            identity.push([step.into(), (4096 * step).into(), depth.into(), explained.min(0.97).into()]);
        }
    }
    analysis("stream_composition", "stream_composition", "sequences = 32", vec![shares, identity])
}

/// Down from no knowledge, a while by single tokens, then by pairs.
fn bayes_bigram() -> Analysis {
    let read = |position: u64| (position as f64 / (position as f64 + 6.0)).powi(2);
    let at = |level: f64, position: Option<u64>| level * position.map_or(0.9, read);
    let distances = |step: u64, position: Option<u64>| {
        let single = 0.34 + 0.17 * (-(step as f64) / 12.0).exp();
        let model = single * (1.0 - 0.97 * rise(step)) + 0.01 * noise(step + position.unwrap_or(0));
        [model, 0.33, 0.51].map(|level| Cell::from(at(level, position)))
    };
    let place = [("step", "steps"), ("tokens", "tokens")];
    let columns = [("model", "nats"), ("unigram", "nats"), ("uniform", "nats")];
    let mut scores = Table::new("scores", &[&place[..], &columns].concat());
    let mut positions = Table::new("positions", &[&place[..], &[("position", "")], &columns].concat());
    for step in STEPS {
        let trained = [Cell::from(step), Cell::from(4096 * step)];
        scores.push(trained.clone().into_iter().chain(distances(step, None)));
        for position in 1..=64 {
            let row = trained.clone().into_iter().chain([position.into()]);
            positions.push(row.chain(distances(step, Some(position))));
        }
    }
    let parameters = "sequences = 64\nstates = 3\nconcentration = 1.0";
    analysis("bayes_bigram", "bayes_bigram", parameters, vec![scores, positions])
}
