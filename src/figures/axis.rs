//! Axes: from values to places, and the ticks a reader expects.

use super::text;

/// How values are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Linear,
    /// Linear, with nothing between whole numbers.
    Whole,
    /// log(1 + x / unit): a logarithm that has room for zero.
    Shifted(f64),
}

/// A named range of values with ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is measured, with its unit.
    pub title: String,
    /// The value at its beginning.
    pub lo: f64,
    /// The value at its end; always more than `lo`.
    pub hi: f64,
    scale: Scale,
}

/// A mark on an axis, with words where there is room for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Its value.
    pub value: f64,
    /// What is written there.
    pub label: Option<String>,
}

/// Can be drawn at all: a number within what a loss or a count could be.
pub fn drawable(x: f64) -> bool {
    x.is_finite() && x.abs() < 1e18
}

/// The least and the greatest drawable value.
pub fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|&x| drawable(x)).fold(None, |range, x| match range {
        None => Some((x, x)),
        Some((lo, hi)) => Some((f64::min(lo, x), f64::max(hi, x))),
    })
}

impl Axis {
    /// A linear axis around all the values, from one round number to another.
    pub fn around(values: impl IntoIterator<Item = f64>, title: &str) -> Self {
        let (lo, hi) = range(values).unwrap_or((0.0, 1.0));
        let room = if hi > lo { 0.0 } else { f64::max(lo.abs() * 0.1, 0.5) };
        let (lo, hi) = (lo - room, hi + room);
        let step = step(hi - lo, 5.0);
        let (lo, hi) = ((lo / step).floor() * step, (hi / step).ceil() * step);
        Axis::exactly(lo, hi, title)
    }

    /// A linear axis for bars, little longer than the longest of them.
    pub fn bars(values: impl IntoIterator<Item = f64>, title: &str) -> Self {
        let (lo, hi) = range(values.into_iter().chain([0.0])).unwrap_or((0.0, 1.0));
        let room = 0.02 * (hi - lo).max(1e-6);
        let lo = if lo < 0.0 { lo - room } else { 0.0 };
        let hi = if hi > 0.0 { hi + room } else { 0.0 };
        Axis::exactly(lo, hi, title)
    }

    /// A linear axis with these ends.
    pub fn exactly(lo: f64, hi: f64, title: &str) -> Self {
        let hi = if hi > lo { hi } else { lo + 1.0 };
        let (title, scale) = (title.to_string(), Scale::Linear);
        Axis { title, lo, hi, scale }
    }

    /// A share: from 0 to 1, and beyond only if the values are.
    pub fn share(values: impl IntoIterator<Item = f64>, title: &str) -> Self {
        match range(values) {
            Some((lo, hi)) if lo < -0.02 || hi > 1.02 => Axis::around([lo, hi, 0.0, 1.0], title),
            _ => Axis::exactly(0.0, 1.0, title),
        }
    }

    /// Training tokens: 0 is on it, and the last two of its decades are spread out.
    pub fn tokens(values: impl IntoIterator<Item = f64>) -> Self {
        let hi = range(values).map_or(1.0, |(_, hi)| hi.max(1.0));
        let unit = 10f64.powf((hi / 100.0).log10().round()).max(1.0);
        let title = format!("training tokens n, spread as log(1 + n / {})", text::count(unit));
        Axis { title, lo: 0.0, hi, scale: Scale::Shifted(unit) }
    }

    /// Training tokens up to `hi`, every decade of them as wide, from the first that were measured on.
    pub fn log_tokens(values: impl IntoIterator<Item = f64>, hi: f64) -> Self {
        let trained = values.into_iter().filter(|&n| n >= 1.0);
        let (unit, last) = range(trained).map_or((1.0, hi), |(first, last)| (first, last.max(hi)));
        let title = format!("training tokens n, spread as log(1 + n / {})", text::count(unit));
        Axis { title, lo: 0.0, hi: last.max(10.0 * unit), scale: Scale::Shifted(unit) }
    }

    /// Positions in the context, the first ones spread out.
    pub fn positions(values: impl IntoIterator<Item = f64>, title: &str) -> Self {
        let (lo, hi) = range(values).unwrap_or((0.0, 1.0));
        let lo = lo.max(0.0);
        Axis { title: title.to_string(), lo, hi: hi.max(lo + 1.0), scale: Scale::Shifted(1.0) }
    }

    /// Whole numbers, evenly spread.
    pub fn whole(values: impl IntoIterator<Item = f64>, title: &str) -> Self {
        let (lo, hi) = range(values).unwrap_or((0.0, 1.0));
        let scale = Scale::Whole;
        Axis { scale, ..Axis::exactly(lo, hi, title) }
    }

    /// Where a value lies, 0 at the axis's beginning and 1 at its end.
    pub fn at(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear | Scale::Whole => (value - self.lo) / (self.hi - self.lo),
            Scale::Shifted(unit) => {
                let place = |x: f64| (x.max(0.0) / unit).ln_1p();
                (place(value) - place(self.lo)) / (place(self.hi) - place(self.lo))
            }
        };
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }

    /// The value at a place, 0 at the axis's beginning and 1 at its end.
    pub fn value(&self, place: f64) -> f64 {
        match self.scale {
            Scale::Linear | Scale::Whole => self.lo + place * (self.hi - self.lo),
            Scale::Shifted(unit) => {
                let spread = |x: f64| (x.max(0.0) / unit).ln_1p();
                unit * (spread(self.lo) + place * (spread(self.hi) - spread(self.lo))).exp_m1()
            }
        }
    }

    /// The ticks of an axis of that length, labels at least `apart` pixels from each other.
    pub fn ticks(&self, pixels: f64, apart: f64) -> Vec<Tick> {
        match self.scale {
            Scale::Linear | Scale::Whole => self.even_ticks((pixels / apart).clamp(1.0, 10.0)),
            Scale::Shifted(_) => self.decade_ticks(pixels, apart),
        }
    }

    fn even_ticks(&self, most: f64) -> Vec<Tick> {
        let step = match (self.scale, step(self.hi - self.lo, most)) {
            (Scale::Whole, step) if step < 1.0 => 1.0,
            (Scale::Whole, 2.5) => 5.0,
            (_, step) => step,
        };
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let decimals = match (step * 10f64.powi(decimals as i32)).fract() {
            rest if (0.01..0.99).contains(&rest) => decimals + 1, // 0.25 needs one more than 0.2
            _ => decimals,
        };
        let first = (self.lo / step - 1e-6).ceil();
        let label = |value: f64| match self.hi.abs() >= 1e5 {
            true => text::count(value),
            false => text::decimal(value, decimals),
        };
        (0..=20)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|&value| value <= self.hi + step * 1e-6)
            .map(|value| Tick { value, label: Some(label(value)) })
            .collect()
    }

    fn decade_ticks(&self, pixels: f64, apart: f64) -> Vec<Tick> {
        let decades = 0..=(self.hi.log10().ceil().clamp(0.0, 18.0) as i32);
        let steps = |digits: &'static [f64]| {
            let decades = decades.clone().rev();
            decades.flat_map(move |d| digits.iter().map(move |m| m * 10f64.powi(d)))
        };
        let mut ticks: Vec<Tick> = Vec::new();
        let wanted = std::iter::once(0.0)
            .chain(steps(&[1.0]))
            .chain(steps(&[5.0, 2.0]))
            .filter(|value| (self.lo..=self.hi).contains(value));
        for value in wanted {
            let place = |v: f64| self.at(v) * pixels;
            if ticks.iter().all(|t| (place(t.value) - place(value)).abs() >= apart) {
                ticks.push(Tick { value, label: Some(text::count(value)) });
            }
        }
        let small = steps(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let small: Vec<f64> = small.filter(|value| (self.lo..=self.hi).contains(value)).collect();
        for value in small {
            let roomy = |t: &Tick| ((self.at(t.value) - self.at(value)) * pixels).abs() >= 4.0;
            if ticks.iter().all(roomy) {
                ticks.push(Tick { value, label: None });
            }
        }
        ticks
    }
}

/// The least of 1, 2, 2.5 or 5 times a power of ten that divides the span into at most `most`.
fn step(span: f64, most: f64) -> f64 {
    let least = f64::max(span / most.max(1.0), 1e-9);
    let power = 10f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * power);
    steps.into_iter().find(|&s| s >= least * (1.0 - 1e-9)).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, pixels: f64) -> Vec<String> {
        let ticks = axis.ticks(pixels, 44.0);
        ticks.into_iter().filter_map(|t| t.label).collect()
    }

    #[test]
    fn a_linear_axis_runs_between_round_numbers() {
        let axis = Axis::around([0.31, 5.2], "loss (nats)");
        assert_eq!((axis.lo, axis.hi), (0.0, 6.0));
        assert_eq!(labels(&axis, 240.0), ["0", "2", "4", "6"]);
        assert_eq!(labels(&Axis::exactly(0.0, 1.0, ""), 200.0), ["0.00", "0.25", "0.50", "0.75", "1.00"]);
    }

    #[test]
    fn positions_are_whole() {
        assert_eq!(labels(&Axis::whole([1.0, 4.0], ""), 500.0), ["1", "2", "3", "4"]);
    }

    #[test]
    fn a_token_axis_has_a_zero_and_says_its_units() {
        let axis = Axis::tokens([0.0, 4096.0, 6e6]);
        let mut said = axis.ticks(500.0, 44.0);
        said.sort_by(|a, b| a.value.total_cmp(&b.value));
        let said: Vec<_> = said.into_iter().filter_map(|t| t.label).collect();
        assert_eq!(said, ["0", "0.1 M", "0.2 M", "0.5 M", "1 M", "2 M", "5 M"]);
        assert_eq!((axis.at(0.0), axis.at(6e6), axis.at(1e12)), (0.0, 1.0, 1.0));
    }

    #[test]
    fn a_value_is_found_again_where_it_lies() {
        let axes = [Axis::exactly(-2.0, 3.0, ""), Axis::tokens([6e6]), Axis::positions([1.0, 127.0], "")];
        for axis in axes {
            assert!(
                (axis.value(0.0) - axis.lo).abs() < 1e-9 && (axis.value(1.0) / axis.hi - 1.0).abs() < 1e-9
            );
            for place in [0.1, 0.5, 0.9] {
                assert!((axis.at(axis.value(place)) - place).abs() < 1e-9, "{axis:?}");
            }
        }
    }

    #[test]
    fn no_data_is_too_strange_for_an_axis() {
        let strange = [vec![], vec![f64::NAN], vec![f64::INFINITY, 1.0], vec![0.0; 3], vec![1e17, -1e17]];
        for values in strange {
            for axis in [
                Axis::around(values.clone(), ""),
                Axis::share(values.clone(), ""),
                Axis::tokens(values.clone()),
                Axis::positions(values.clone(), ""),
            ] {
                assert!(axis.hi > axis.lo && axis.ticks(300.0, 40.0).len() < 300, "{axis:?}");
                assert!((0.0..=1.0).contains(&axis.at(f64::NAN)));
            }
        }
    }
}
