//! The verdict: which heads are induction heads, and when the model changed phase.
//!
//! A head counts where its prefix matching, on random tokens or on repeated passages, reaches a
//! threshold *and* its removal raises the loss on the second copy by a stated amount *and* it copies
//! what it attends to: attention that looks right and does nothing is not enough, nor is a head that
//! matters and looks elsewhere.

mod scores;
mod words;

use crate::plan::{Evidence, Thresholds};
use crate::record::{
    Analysis, Cell, Criterion, InductionHead, Outcome, PhaseChange, ShiftedHead, Table, Verdict,
};
use scores::{Scores, measured, score};
use words::{criteria, summary};

/// What the verdict rests on; a plan adds what a spec does not list.
pub const EVIDENCE: &[Evidence] = &[
    Evidence {
        probe: "prefix_matching",
        id: "prefix_matching",
        parameters: "definition = \"olsson\"\ntokens = \"random\"\naverage = \"mass\"",
    },
    Evidence {
        probe: "prefix_matching",
        id: "prefix_matching_passages",
        parameters: "definition = \"olsson\"\ntokens = \"passages\"\naverage = \"mass\"",
    },
    Evidence { probe: "offset_profile", id: "offset_profile", parameters: "tokens = \"random\"" },
    Evidence { probe: "previous_token", id: "previous_token", parameters: "" },
    Evidence { probe: "repeated_loss", id: "repeated_loss", parameters: "tokens = \"random\"" },
    Evidence { probe: "ablation", id: "ablation", parameters: "method = \"zero\"\ntokens = \"random\"" },
    Evidence {
        probe: "ablation",
        id: "ablation_pattern_preserving",
        parameters: "method = \"pattern_preserving\"\ntokens = \"random\"",
    },
    Evidence { probe: "copying", id: "copying", parameters: "result = \"parts\"\ntokens = \"random\"" },
    Evidence { probe: "in_context_learning", id: "in_context_learning", parameters: "" },
];

/// Judges the analyses of a run whose last checkpoint is at `last_step`.
pub fn verdict(analyses: &[Analysis], thresholds: &Thresholds, last_step: u64) -> Verdict {
    let find = |evidence: &Evidence| {
        let wanted: toml::Table = toml::from_str(evidence.parameters).unwrap_or_default();
        let fits = |a: &&Analysis| {
            a.probe == evidence.probe && wanted.iter().all(|(k, v)| a.parameters.get(k) == Some(v))
        };
        analyses.iter().find(fits)
    };
    let table = |i: usize, name: &str| find(&EVIDENCE[i]).and_then(|a| a.table(name));
    let (random, passages) = (table(0, "heads"), table(1, "heads"));
    let (offsets, previous) = (table(2, "offsets"), table(3, "heads"));
    let ablation = [table(5, "heads"), table(6, "heads")];
    let (copying, chance) = (table(7, "heads"), table(7, "chance"));
    let evidence = Scores { random, passages, previous, copying, ablation, offsets, last_step };
    let mut heads = Table::new("heads", HEAD_COLUMNS);
    let every = evidence.heads();
    let mut complete = !every.is_empty();
    for &head in &every {
        let at_end = |table: Option<&Table>| score(table, head, last_step);
        let ablations = ablation.map(at_end);
        // A head that raises no logit has no copying score, and copies nothing.
        let was_seen_copying = measured(copying, head, last_step);
        complete &= at_end(random).is_some() && ablations.iter().any(Option::is_some) && was_seen_copying;
        let cell = |x: Option<f64>| x.map_or(Cell::Missing(()), Cell::from);
        heads.push([
            head.0.into(),
            head.1.into(),
            cell(at_end(random)),
            cell(at_end(passages)),
            cell(at_end(previous)),
            cell(at_end(copying)),
            cell(at_end(chance)),
            cell(ablations[0]),
            cell(ablations[1]),
        ]);
    }
    let criteria = criteria(thresholds);
    let [matching, removal, copies] = criteria.each_ref().map(|criterion| criterion.held_against(&heads));
    let reaches = |criterion: &Criterion, value: f64| value >= criterion.threshold;
    let mut found: Vec<InductionHead> = Vec::new();
    let mut shifted: Vec<ShiftedHead> = Vec::new();
    for (i, &head) in every.iter().enumerate() {
        let (layer, index) = head;
        let (looks, hurts) = (reaches(&criteria[0], matching[i]), reaches(&criteria[1], removal[i]));
        let (copies, ablation) = (reaches(&criteria[2], copies[i]), removal[i]);
        let best = evidence.best_offset(head).filter(|(_, attention)| reaches(&criteria[0], *attention));
        match (looks, best) {
            _ if !(hurts && copies) => {}
            (true, _) => {
                let formed = evidence.formed(head, thresholds.prefix_matching);
                found.push(InductionHead {
                    layer,
                    head: index,
                    prefix_matching: score(random, head, last_step).unwrap_or(f64::NAN),
                    prefix_matching_passages: score(passages, head, last_step),
                    copying: score(copying, head, last_step),
                    copying_chance: score(chance, head, last_step),
                    ablation,
                    formed_at_step: formed.map(|(step, _)| step),
                    formed_at_tokens: formed.map(|(_, tokens)| tokens),
                });
            }
            (false, Some((offset, attention))) if offset >= 2 => {
                shifted.push(ShiftedHead { layer, head: index, offset, attention, ablation });
            }
            (false, _) => {}
        }
    }
    // First the one that is missed most.
    found.sort_by(|a, b| b.ablation.total_cmp(&a.ablation));
    let outcome = match (found.is_empty(), complete) {
        (false, _) => Outcome::Found,
        (true, true) => Outcome::NotFound,
        (true, false) => Outcome::Inconclusive,
    };
    Verdict {
        verdict: outcome,
        summary: summary(outcome, &found, &shifted, &heads, thresholds),
        criteria: criteria.into(),
        induction_heads: found,
        shifted_heads: shifted,
        phase_change: table(8, "scores").and_then(phase_change),
        heads,
    }
}

const HEAD_COLUMNS: &[(&str, &str)] = &[
    ("layer", ""),
    ("head", ""),
    ("prefix_matching", "share of attention"),
    ("prefix_matching_passages", "share of attention"),
    ("previous_token", "share of attention"),
    ("copying", "from −1 to 1"),
    ("copying_chance", "from −1 to 1"),
    ("ablation", "nats"),
    ("ablation_pattern_preserving", "nats"),
];

/// The interval between checkpoints in which the in-context-learning score fell most.
fn phase_change(scores: &Table) -> Option<PhaseChange> {
    let (step, tokens, score) = (scores.index("step")?, scores.index("tokens")?, scores.index("score")?);
    let point = |row: &Vec<Cell>| {
        Some((row[step].integer()? as u64, row[tokens].integer()? as u64, row[score].number()?))
    };
    let points: Vec<(u64, u64, f64)> = scores.rows.iter().filter_map(point).collect();
    let pairs = points.iter().zip(points.iter().skip(1));
    let (a, b) = pairs.min_by(|x, y| (x.1.2 - x.0.2).total_cmp(&(y.1.2 - y.0.2)))?;
    let change = PhaseChange {
        from_step: a.0,
        from_tokens: a.1,
        to_step: b.0,
        to_tokens: b.1,
        before: a.2,
        after: b.2,
    };
    (change.after < change.before).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u64 = 30;
    const RANDOM: &str = "definition = \"olsson\"\ntokens = \"random\"\naverage = \"mass\"";
    const ZERO: &str = "method = \"zero\"\ntokens = \"random\"";
    const PRESERVING: &str = "method = \"pattern_preserving\"\ntokens = \"random\"";
    const COPYING: &str = "result = \"parts\"\ntokens = \"random\"";

    fn analysis(probe: &str, parameters: &str, tables: Vec<Table>) -> Analysis {
        let parameters = toml::from_str(parameters).unwrap();
        let definition = String::new();
        let (version, measured_on) = (1, String::new());
        let (probe, id) = (probe.to_string(), probe.to_string());
        Analysis { format: 1, probe, id, definition, parameters, version, measured_on, tables }
    }

    /// Scores of head 1.0 at steps 0, 10, 20, 30.
    fn heads(scores: [f64; 4]) -> Vec<Table> {
        let mut table =
            Table::new("heads", &[("step", ""), ("tokens", ""), ("layer", ""), ("head", ""), ("score", "")]);
        for (i, score) in scores.into_iter().enumerate() {
            table.push([(10 * i).into(), (1000 * i).into(), 1usize.into(), 0usize.into(), score.into()]);
        }
        vec![table]
    }

    /// A copying score at the last step, where chance is -0.8.
    fn copied(score: f64) -> Vec<Table> {
        let [scores, chance] = [score, -0.8].map(|score| heads([0.0, 0.0, 0.0, score]).remove(0));
        vec![scores, Table { name: "chance".into(), ..chance }]
    }

    fn offsets(best: usize) -> Vec<Table> {
        let columns =
            [("step", ""), ("tokens", ""), ("layer", ""), ("head", ""), ("offset", ""), ("score", "")];
        let mut table = Table::new("offsets", &columns);
        for offset in 0..5 {
            let score = if offset == best { 0.9 } else { 0.02 };
            let cells =
                [30usize.into(), 3000usize.into(), 1usize.into(), 0usize.into(), offset.into(), score.into()];
            table.push(cells);
        }
        vec![table]
    }

    const THRESHOLDS: Thresholds = Thresholds { prefix_matching: 0.3, ablation: 0.1, copying: 0.3 };

    fn judge(matching: [f64; 4], ablation: f64, best_offset: usize) -> Verdict {
        judge_copying(matching, ablation, best_offset, 0.9)
    }

    fn judge_copying(matching: [f64; 4], ablation: f64, best_offset: usize, copying: f64) -> Verdict {
        let analyses = [
            analysis("prefix_matching", RANDOM, heads(matching)),
            analysis("ablation", ZERO, heads([0.0, 0.0, 0.0, ablation])),
            analysis("copying", COPYING, copied(copying)),
            analysis("offset_profile", "tokens = \"random\"", offsets(best_offset)),
        ];
        verdict(&analyses, &THRESHOLDS, LAST)
    }

    #[test]
    fn a_head_that_looks_and_matters_is_found_where_it_stayed() {
        let verdict = judge([0.4, 0.1, 0.5, 0.8], 2.0, 1);
        assert_eq!(verdict.verdict, Outcome::Found);
        let head = &verdict.induction_heads[0];
        assert_eq!((head.layer, head.head), (1, 0));
        assert_eq!((head.formed_at_step, head.formed_at_tokens), (Some(20), Some(2000)));
    }

    #[test]
    fn attention_without_effect_is_not_enough() {
        assert_eq!(judge([0.0, 0.1, 0.5, 0.8], 0.01, 1).verdict, Outcome::NotFound);
    }

    #[test]
    fn a_head_that_does_not_copy_is_not_enough() {
        let judge = |copying| judge_copying([0.0, 0.1, 0.5, 0.8], 2.0, 1, copying).verdict;
        assert_eq!((judge(-0.6), judge(-0.4)), (Outcome::NotFound, Outcome::Found));
    }

    #[test]
    fn either_ablation_will_do_and_the_head_missed_most_comes_first() {
        let two = |scores: [f64; 2]| {
            let mut tables = heads([0.0; 4]);
            tables[0].rows.clear();
            for (head, score) in scores.into_iter().enumerate() {
                tables[0].push([30usize.into(), 3000usize.into(), 1usize.into(), head.into(), score.into()]);
            }
            tables
        };
        let analyses = [
            analysis("prefix_matching", RANDOM, two([0.9, 0.5])),
            analysis("ablation", ZERO, two([0.2, 0.0])),
            analysis("ablation", PRESERVING, two([0.0, 2.0])),
            analysis("copying", COPYING, {
                let [scores, chance] = [two([0.5; 2]), two([-0.8; 2])].map(|mut tables| tables.remove(0));
                vec![scores, Table { name: "chance".into(), ..chance }]
            }),
        ];
        let verdict = verdict(&analyses, &THRESHOLDS, LAST);
        assert_eq!(verdict.induction_heads.iter().map(|h| h.head).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(verdict.induction_heads[0].ablation, 2.0);
    }

    #[test]
    fn effect_without_attention_is_not_enough() {
        let verdict = judge([0.0, 0.1, 0.1, 0.1], 2.0, 0);
        assert_eq!(verdict.verdict, Outcome::NotFound);
        assert!(verdict.shifted_heads.is_empty());
    }

    #[test]
    fn a_shifted_head_is_named() {
        let verdict = judge([0.0; 4], 2.0, 2);
        assert_eq!(verdict.verdict, Outcome::NotFound);
        assert_eq!(verdict.shifted_heads[0].offset, 2);
        assert!(verdict.summary.contains("shifted"), "{}", verdict.summary);
    }

    #[test]
    fn without_measurements_nothing_is_claimed() {
        let matching = || analysis("prefix_matching", RANDOM, heads([0.9; 4]));
        let ablation = || analysis("ablation", ZERO, heads([3.0; 4]));
        let copying = || analysis("copying", COPYING, copied(0.9));
        let judge = |analyses: &[Analysis], last| verdict(analyses, &THRESHOLDS, last).verdict;
        assert_eq!(judge(&[], LAST), Outcome::Inconclusive);
        assert_eq!(judge(&[matching(), copying()], LAST), Outcome::Inconclusive);
        assert_eq!(judge(&[matching(), ablation()], LAST), Outcome::Inconclusive);
        let all = [matching(), ablation(), copying()];
        assert_eq!((judge(&all, LAST), judge(&all, 31)), (Outcome::Found, Outcome::Inconclusive));
    }

    #[test]
    fn the_phase_change_is_the_steepest_fall() {
        let mut scores = Table::new("scores", &[("step", ""), ("tokens", ""), ("score", "")]);
        for (i, score) in [0.0, 0.1, -0.1, -0.7, -0.8].into_iter().enumerate() {
            scores.push([(10 * i).into(), (1000 * i).into(), score.into()]);
        }
        let change = phase_change(&scores).unwrap();
        assert_eq!((change.from_tokens, change.to_tokens), (2000, 3000));
    }
}
