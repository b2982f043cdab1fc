//! Named streams of randomness: one seed, and for every consumer a stream of its own.
//!
//! A stream is a function of (seed, name, counter) alone. Adding a consumer shifts no other, and
//! the batch of any step can be made without those before it.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A stream of random bits, the same on every machine.
pub type Stream = ChaCha8Rng;

/// The stream of a consumer: `init`, `batches`, `probe/<id>`, with a counter for its parts.
pub fn stream(seed: u64, name: &str, counter: u64) -> Stream {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.update(&counter.to_le_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// A whole number below `n`, every one equally likely (Lemire 2019, without bias).
///
/// `n` must not be 0.
pub fn below(rng: &mut Stream, n: u64) -> u64 {
    debug_assert!(n > 0);
    let threshold = n.wrapping_neg() % n;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        if product as u64 >= threshold {
            return (product >> 64) as u64;
        }
    }
}

/// A number in [0, 1), with 53 bits.
pub fn unit(rng: &mut Stream) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// `n` independent standard normals (Box and Muller 1958).
pub fn normals(rng: &mut Stream, n: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(n + 1);
    while out.len() < n {
        let (radius, angle) = polar(rng);
        out.push((radius * angle.cos()) as f32);
        out.push((radius * angle.sin()) as f32);
    }
    out.truncate(n);
    out
}

/// A standard normal in double precision.
pub fn normal(rng: &mut Stream) -> f64 {
    let (radius, angle) = polar(rng);
    radius * angle.cos()
}

/// Two independent standard normals in polar coordinates.
fn polar(rng: &mut Stream) -> (f64, f64) {
    let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
    (radius, std::f64::consts::TAU * unit(rng))
}

/// Puts a slice into random order (Fisher and Yates).
pub fn shuffle<T>(rng: &mut Stream, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(rng, i as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_functions_of_seed_name_and_counter() {
        let first = |seed, name, counter| stream(seed, name, counter).next_u64();
        assert_eq!(first(1, "batches", 7), first(1, "batches", 7));
        for other in [first(2, "batches", 7), first(1, "batch", 7), first(1, "batches", 8)] {
            assert_ne!(first(1, "batches", 7), other);
        }
    }

    #[test]
    fn below_covers_its_range_evenly() {
        let mut rng = stream(0, "test", 0);
        let mut counts = [0; 7];
        for _ in 0..70_000 {
            counts[below(&mut rng, 7) as usize] += 1;
        }
        assert!(counts.iter().all(|&n| (9_500..10_500).contains(&n)), "{counts:?}");
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let x = normals(&mut stream(0, "test", 1), 100_001);
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let variance = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32 - mean * mean;
        assert_eq!(x.len(), 100_001);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
