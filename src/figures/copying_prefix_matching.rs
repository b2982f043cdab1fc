//! Both halves of an induction head: copying against prefix matching (Olsson et al. 2022, appendix).

use super::axis::Axis;
use super::canvas::{Canvas, Type};
use super::chart::{Chart, LETTERS, Mark, heading};
use super::plot::Plot;
use super::prefix_matching::on_passages;
use super::{Figure, FigureError, FigureKind, colour, file_stem, heads, labels, tables};
use crate::record::{Analysis, Record};

/// Where every head stands at the last checkpoint.
pub const KIND: FigureKind = FigureKind {
    name: "copying_prefix_matching",
    reading: "One dot a head, at the last checkpoint: further right, it attends to what followed the \
              current token before; further up, it raises the token it attends to. An induction head \
              does both and stands to the right of one line and above the other; a head on the left that copies \
              attends elsewhere.",
    example: "[[analyses]]\nprobe = \"copying\"\n\n[[analyses]]\nprobe = \"prefix_matching\"",
    draw,
};

/// No more heads than have room for their names; of more, those with a colour are named.
const NAMED: usize = 16;

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let of = |probe: &'static str| record.analyses.iter().filter(move |a| a.probe == probe);
    let Some(matching) = of("prefix_matching").min_by_key(|a| on_passages(a)) else {
        return Ok(Vec::new());
    };
    let mut figures = Vec::new();
    for copying in of("copying") {
        figures.extend(page(record, matching, copying)?);
    }
    Ok(figures)
}

fn page(record: &Record, matching: &Analysis, copying: &Analysis) -> Result<Option<Figure>, FigureError> {
    let (Some(across), Some(up)) = (matching.table("heads"), copying.table("heads")) else {
        return Ok(None);
    };
    let up = heads::last(up)?;
    let found = |(head, x): (heads::Head, f64)| Some((head, x, up.iter().find(|(h, _)| *h == head)?.1));
    let dots: Vec<_> = heads::last(across)?.into_iter().filter_map(found).collect();
    if dots.is_empty() {
        return Ok(None);
    }
    let measure = if on_passages(matching) { "prefix_matching_passages" } else { "prefix_matching" };
    let upright = tables::threshold(record, &[measure, "prefix_matching"]).and_then(|mark| match mark {
        Mark::Level(value, key) => {
            Some(Mark::Place(value, key.replace("threshold", "threshold, prefix matching")))
        }
        _ => None,
    });
    let level = tables::copying_threshold(record, copying)?
        .unwrap_or(Mark::Level(0.0, "copying 0: a third of the raise".into()));
    let chart = Chart {
        x: Axis::share(dots.iter().map(|dot| dot.1), "prefix matching (share of attention)"),
        y: Axis::exactly(-1.0, 1.0, "copying (from −1 to 1)"),
        series: Vec::new(),
        marks: upright.into_iter().chain([level]).collect(),
        height: 330.0,
    };
    let title = "Copying against prefix matching of every head".to_string();
    let plot = Plot { left: 62.0, top: 96.0, width: 440.0, height: chart.height };
    let mut canvas = Canvas::new(560.0, plot.top + plot.height + 56.0);
    heading(&mut canvas, &title);
    keys(&mut canvas, &chart.marks);
    plot.draw(&mut canvas, &chart);
    let colours = heads::Colours::of(record);
    // Names may stand beside the plot, but not among its ticks.
    let frame = [plot.left, plot.top - 8.0, plot.width + 50.0, plot.height + 8.0];
    let mut taken: Vec<[f64; 4]> = Vec::new();
    for &(head, x, y) in &dots {
        let (x, y) = plot.place(&chart, x, y);
        canvas.dot(x, y, 4.0, colours.get(head).unwrap_or(colour::PALE));
        taken.push([x - 5.0, y - 5.0, 10.0, 10.0]);
    }
    for &(head, x, y) in dots.iter().filter(|d| dots.len() <= NAMED || colours.get(d.0).is_some()) {
        let (x, y) = plot.place(&chart, x, y);
        let name = heads::name(head);
        let spot = labels::spot([x, y], &name, frame, &taken).unwrap_or([x + 8.0, y - 7.0, 0.0, 14.0]);
        canvas.text(spot[0], spot[1] + spot[3] / 2.0, &name, Type::new(LETTERS));
        taken.push(spot);
    }
    let name = file_stem(&format!("{}-{}", copying.id, matching.id));
    let svg = canvas.finish(&title)?;
    Ok(Some(Figure { name, title, reading: KIND.reading.to_string(), svg }))
}

/// The marks and what they mean, one below the other under the title.
fn keys(canvas: &mut Canvas, marks: &[Mark]) {
    for (i, mark) in marks.iter().enumerate() {
        let y = 44.0 + 18.0 * i as f64;
        match mark {
            Mark::Place(_, key) => {
                canvas.dashes((25.0, y - 7.0), (25.0, y + 7.0), 1.2, colour::GREY);
                canvas.text(42.0, y, key, Type::new(LETTERS));
            }
            Mark::Level(_, key) | Mark::Band(_, _, key) | Mark::Shade(_, _, key, _) => {
                canvas.dashes((14.0, y), (36.0, y), 1.2, colour::GREY);
                canvas.text(42.0, y, key, Type::new(LETTERS));
            }
        }
    }
}
