//! Markov chains: rows drawn from Dirichlet distributions, states drawn from rows.

use crate::random::{self, Stream};

/// A distribution over the numbers below its length, ready to be drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Categorical {
    /// The sums of the weights up to each number, that number's own included.
    sums: Vec<f64>,
}

impl Categorical {
    /// From weights, which need not sum to one.
    pub fn new(weights: &[f64]) -> Self {
        let add = |sum: &mut f64, weight: &f64| {
            *sum += weight;
            Some(*sum)
        };
        Categorical { sums: weights.iter().scan(0.0, add).collect() }
    }

    /// One of the numbers.
    pub fn draw(&self, rng: &mut Stream) -> usize {
        let at = random::unit(rng) * self.sums.last().copied().unwrap_or(0.0);
        self.sums.partition_point(|sum| *sum <= at).min(self.sums.len().saturating_sub(1))
    }
}

/// A distribution from a Dirichlet distribution with these parameters, all above zero: gamma variates
/// over their sum.
pub fn dirichlet(rng: &mut Stream, parameters: &[f64]) -> Vec<f64> {
    // As logarithms: with small parameters most variates are below the smallest float.
    let logs: Vec<f64> = parameters.iter().map(|shape| ln_gamma_variate(rng, *shape)).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let variates = logs.iter().map(|log| (log - most).exp());
    let sum: f64 = variates.clone().sum();
    variates.map(|variate| variate / sum).collect()
}

/// The logarithm of a gamma variate of scale one (Marsaglia and Tsang 2000).
fn ln_gamma_variate(rng: &mut Stream, shape: f64) -> f64 {
    if shape < 1.0 {
        let log_share = (1.0 - random::unit(rng)).ln() / shape;
        return ln_gamma_variate(rng, shape + 1.0) + log_share;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = random::normal(rng);
        let v = (1.0 + c * x).powi(3);
        let log_u = (1.0 - random::unit(rng)).ln();
        if v > 0.0 && log_u < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            return (d * v).ln();
        }
    }
}

/// The stationary distribution of a chain with transition probabilities above zero, `[state][next]`:
/// states are taken out one by one (Grassmann, Taksar and Heyman 1985, which never subtracts).
pub fn stationary(rows: &[Vec<f64>]) -> Vec<f64> {
    let mut p = rows.to_vec();
    for last in (1..p.len()).rev() {
        let (before, from) = p.split_at_mut(last);
        let away: f64 = from[0][..last].iter().sum();
        for row in before {
            // How often the last state is visited before another one is.
            row[last] /= away;
            let visits = row[last];
            row[..last].iter_mut().zip(&from[0]).for_each(|(to, share)| *to += visits * share);
        }
    }
    let mut weights: Vec<f64> = Vec::with_capacity(p.len());
    for state in 0..p.len() {
        let visits = weights.iter().zip(&p).map(|(weight, row)| weight * row[state]).sum();
        weights.push(if state == 0 { 1.0 } else { visits });
    }
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_drawn_by_their_weights() {
        let (mut rng, mut counts) = (random::stream(0, "test", 0), [0.0f64; 4]);
        let categorical = Categorical::new(&[2.0, 0.0, 5.0, 1.0]);
        (0..80_000).for_each(|_| counts[categorical.draw(&mut rng)] += 1.0 / 10_000.0);
        let near = counts.iter().zip([2.0, 0.0, 5.0, 1.0]).all(|(n, w)| (n - w).abs() < 0.1);
        assert!(near && counts[1] == 0.0, "{counts:?}");
    }

    #[test]
    fn dirichlet_has_its_means_and_variances() {
        let mut rng = random::stream(0, "test", 1);
        for parameters in [[0.05, 0.2, 0.1], [1.0, 1.0, 1.0], [4.0, 1.5, 30.0]] {
            let total: f64 = parameters.iter().sum();
            let draws: Vec<Vec<f64>> = (0..20_000).map(|_| dirichlet(&mut rng, &parameters)).collect();
            assert!(draws.iter().all(|d| (d.iter().sum::<f64>() - 1.0).abs() < 1e-12));
            for (i, parameter) in parameters.iter().enumerate() {
                let mean = draws.iter().map(|d| d[i]).sum::<f64>() / 20_000.0;
                let variance = draws.iter().map(|d| (d[i] - mean).powi(2)).sum::<f64>() / 20_000.0;
                let wanted = parameter / total;
                assert!((mean - wanted).abs() < 0.01, "{parameters:?} {mean}");
                let wanted = wanted * (1.0 - wanted) / (total + 1.0);
                assert!((variance / wanted - 1.0).abs() < 0.06, "{parameters:?} {variance} {wanted}");
            }
        }
    }

    #[test]
    fn the_smallest_parameters_still_give_a_distribution() {
        let mut rng = random::stream(0, "test", 2);
        for _ in 0..200 {
            let drawn = dirichlet(&mut rng, &[1e-6; 5]);
            assert!(drawn.iter().all(|p| p.is_finite()) && (drawn.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_stationary_distribution_stays() {
        let found = stationary(&[vec![0.9, 0.1], vec![0.3, 0.7]]);
        assert!((found[0] - 0.75).abs() < 1e-12 && (found[1] - 0.25).abs() < 1e-12, "{found:?}");
        let mut rng = random::stream(0, "test", 3);
        for concentration in [0.1, 1.0, 10.0] {
            let rows: Vec<Vec<f64>> = (0..7).map(|_| dirichlet(&mut rng, &[concentration; 7])).collect();
            let found = stationary(&rows);
            for next in 0..7 {
                let after: f64 = found.iter().zip(&rows).map(|(p, row)| p * row[next]).sum();
                assert!((after - found[next]).abs() < 1e-12, "{concentration}: {found:?}");
            }
        }
    }
}
