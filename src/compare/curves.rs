//! Curves of many runs over one another: the mean of a group, and from its least to its greatest.

use super::factors::Factor;
use super::groups::{Group, by_values};
use super::reading::prefix_matching_threshold;
use super::words::found_in;
use crate::figures::axis::Axis;
use crate::figures::chart::{self, Chart, Mark, Series};
use crate::figures::tables::{Points, curve, grouped, numbers, sorted};
use crate::figures::{Figure, FigureError, colour};
use crate::record::{Record, Table};

/// Something measured over training.
struct Measure {
    name: &'static str,
    title: &'static str,
    axis: &'static str,
    reading: &'static str,
    /// Whether it is a share, from 0 to 1.
    share: bool,
    points: fn(&Record) -> Result<Points, FigureError>,
}

const MEASURES: &[Measure] = &[
    Measure {
        name: "validation_loss",
        title: "Loss on held-out text over training",
        axis: "loss (nats a token)",
        reading: "The mean loss on held-out text at every checkpoint.",
        share: false,
        points: |record| curve(&record.metrics, "tokens", "validation_loss"),
    },
    Measure {
        name: "prefix_matching",
        title: "Prefix matching of the strongest head over training",
        axis: "share of attention",
        reading: "Of all heads the one with the highest prefix matching at that checkpoint, on random tokens or on \
                  passages shown twice, whichever is more: where a line leaves the ground, a head comes to look at \
                  what followed. It is an induction head if its removal is felt and it copies, too.",
        share: true,
        points: |record| {
            let analyses = record.analyses.iter().filter(|a| a.probe == "prefix_matching");
            strongest(analyses.filter_map(|analysis| analysis.table("heads")))
        },
    },
    Measure {
        name: "in_context_learning",
        title: "In-context-learning score over training",
        axis: "late loss minus early loss (nats a token)",
        reading: "The further below zero, the more a model gains from what it has read.",
        share: false,
        points: |record| of(record, "in_context_learning", "scores", "score"),
    },
    Measure {
        name: "second_copy",
        title: "How much the second copy of random tokens costs less than the first",
        axis: "loss on the first copy minus loss on the second (nats a token)",
        reading: "Random tokens are far from any text, and the loss on them may rise while a model learns; what lies \
                  between their first and their second copy is what the model gains by completing a sequence it has \
                  seen, which is an induction head's work.",
        share: false,
        points: |record| match record.analysis("repeated_loss").and_then(|a| a.table("losses")) {
            Some(table) => {
                let rows = numbers(table, ["tokens", "first_copy", "second_copy"])?;
                Ok(sorted(rows.into_iter().map(|[tokens, first, second]| (tokens, first - second)).collect()))
            }
            None => Ok(Points::new()),
        },
    },
];

fn of(record: &Record, probe: &str, table: &str, column: &str) -> Result<Points, FigureError> {
    match record.analysis(probe).and_then(|a| a.table(table)) {
        Some(table) => curve(table, "tokens", column),
        None => Ok(Points::new()),
    }
}

/// The highest score of any head, in any of the tables, at every checkpoint.
fn strongest<'a>(tables: impl Iterator<Item = &'a Table>) -> Result<Points, FigureError> {
    let mut rows = Vec::new();
    for table in tables {
        rows.extend(numbers(table, ["tokens", "score"])?);
    }
    let groups = grouped(rows.into_iter().map(|[tokens, score]| ([tokens], (tokens, score))));
    let highest = |(_, points): ([i64; 1], Points)| {
        points.into_iter().filter(|p| p.1.is_finite()).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    Ok(groups.into_iter().filter_map(highest).collect())
}

/// Every figure that the runs have data for.
pub fn draw_all(groups: &[Group<'_>], factors: &[Factor]) -> Vec<Result<Option<Figure>, FigureError>> {
    MEASURES.iter().map(|measure| draw(measure, groups, factors)).collect()
}

fn draw(measure: &Measure, groups: &[Group<'_>], factors: &[Factor]) -> Result<Option<Figure>, FigureError> {
    // Where there are more lines than colours, those have one in which a head formed.
    let mut ordered: Vec<&Group<'_>> = groups.iter().collect();
    if groups.len() > colour::LINES.len() {
        ordered.sort_by_key(|group| std::cmp::Reverse(found_in(group)));
    }
    let mut series = Vec::new();
    for (i, group) in ordered.into_iter().enumerate() {
        let runs: Vec<Points> =
            group.runs.iter().map(|run| (measure.points)(&run.record)).collect::<Result<_, _>>()?;
        let (mean, band) = spread(&runs);
        let many = if group.runs.len() > 1 { format!(" ({})", group.runs.len()) } else { String::new() };
        // More lines than colours cannot be told apart: the rest stand back.
        let line = match colour::LINES.get(i) {
            Some(colour) => Series::measured(&format!("{}{many}", group.short), *colour, mean),
            None => Series { label: None, width: 1.0, ..Series::new("", colour::PALE, mean) },
        };
        series.push(Series { band, ..line });
    }
    series.reverse();
    let x = Axis::tokens(series.iter().flat_map(|s| &s.points).map(|p| p.0));
    let records = groups.iter().flat_map(|group| &group.runs).map(|run| &run.record);
    let threshold = prefix_matching_threshold(records).filter(|_| measure.share);
    let values = series.iter().flat_map(|s| {
        let band = s.band.iter().flat_map(|(_, lo, hi)| [*lo, *hi]);
        s.points.iter().map(|p| p.1).chain(band)
    });
    let values = values.chain(threshold);
    let y =
        if measure.share { Axis::share(values, measure.axis) } else { Axis::around(values, measure.axis) };
    let marks = threshold.map(|level| Mark::Level(level, format!("the threshold, {level}")));
    let chart = Chart { x, y, series, marks: marks.into_iter().collect(), height: 260.0 };
    if chart.is_empty() {
        return Ok(None);
    }
    let title = measure.title.to_string();
    let svg = chart::page(&title, &[chart])?;
    let seeds = match groups.iter().any(|group| group.runs.len() > 1) {
        true => {
            " A line is the mean over a configuration's seeds (how many is in brackets), its band runs from the least of them to the greatest."
        }
        false => "",
    };
    let names = match factors {
        [_, _, ..] if by_values(factors) => {
            let keys: Vec<&str> = factors.iter().map(|factor| factor.telling().name.as_str()).collect();
            format!(" Lines are called by their {}.", keys.join(", "))
        }
        _ => String::new(),
    };
    let hidden = match groups.len().saturating_sub(colour::LINES.len()) {
        0 => String::new(),
        1 => " One more than there are colours for is grey and has no name.".into(),
        n => format!(" {n} more than there are colours for are grey and have no names."),
    };
    let reading = format!("{}{names}{seeds}{hidden}", measure.reading);
    Ok(Some(Figure { name: measure.name.into(), title, reading, svg }))
}

/// The mean at every place where a run was measured, and the band where there were several.
fn spread(runs: &[Points]) -> (Points, Vec<(f64, f64, f64)>) {
    let all = runs.iter().flatten().filter(|p| p.1.is_finite()).map(|&(x, y)| ([x], (x, y)));
    let (mut mean, mut band) = (Points::new(), Vec::new());
    for (_, points) in grouped(all) {
        let (x, n) = (points[0].0, points.len() as f64);
        mean.push((x, points.iter().map(|p| p.1).sum::<f64>() / n));
        if points.len() > 1 {
            let values = || points.iter().map(|p| p.1);
            band.push((
                x,
                values().fold(f64::INFINITY, f64::min),
                values().fold(f64::NEG_INFINITY, f64::max),
            ));
        }
    }
    (mean, band)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_from_least_to_greatest() {
        let runs = [vec![(0.0, 1.0), (5.0, 2.0)], vec![(0.0, 3.0), (5.0, f64::NAN)], vec![(0.0, 2.0)]];
        let (mean, band) = spread(&runs);
        assert_eq!(mean, [(0.0, 2.0), (5.0, 2.0)]);
        assert_eq!(band, [(0.0, 1.0, 3.0)]);
        assert_eq!(spread(&[]), (Vec::new(), Vec::new()));
    }
}
