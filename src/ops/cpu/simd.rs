//! Vector instructions chosen at run time, and functions that compile to them.

/// Numbers to a vector of the widest kind; sums are kept in this many lanes.
pub const LANES: usize = 16;

/// What this processor can do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Detection is cached by the standard library.
#[inline(always)]
pub fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw");
        match (avx2, avx512) {
            (true, true) => return Level::Avx512,
            (true, false) => return Level::Avx2,
            _ => {}
        }
    }
    Level::Baseline
}

/// Defines a function that is compiled for each instruction set and runs the best that the processor has.
///
/// In the body, `FMA` says whether there is a fused multiply-add; see [`fma`]. What it calls must be
/// `#[inline(always)]` to be compiled along.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body<const FMA: bool>($($arg: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                use $crate::ops::cpu::Level;

                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $type),*) $(-> $result)? {
                    body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $type),*) $(-> $result)? {
                    body::<true>($($arg),*)
                }
                match $crate::ops::cpu::level() {
                    // SAFETY: the processor has these instructions.
                    Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: the same.
                    Level::Avx2 => return unsafe { avx2($($arg),*) },
                    Level::Baseline => {}
                }
            }
            body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub(in crate::ops) use vectorized;

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `eˣ`, to 1.5e-7 relative, in instructions that all have vector forms. Below −70 it is zero, so that what is
/// computed from the shares of a softmax does not become subnormal, which is slow; above 88.3 it stays finite.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    const LEAST: f32 = -70.0;
    let unseen = x < LEAST;
    // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 355.0 / 512.0; // n times this is exact
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(LEAST, 88.3);
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -LN_2_LOW, fma::<FMA>(n, -LN_2_HIGH, x));
    // e^r = 1 + r + r² p(r): p by interpolation at the Chebyshev nodes of the interval, 1e-8 relative.
    let mut p = 1.392_625_1e-3;
    for c in [8.363_233e-3, 4.166_655_4e-2, 0.166_665_77, 0.5] {
        p = fma::<FMA>(p, r, c);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    if unseen { 0.0 } else { fma::<FMA>(p, r * r, r + 1.0) * power }
}

/// Folds slices of one length together in lanes, and sums the lanes.
#[inline(always)]
pub fn sum_lanes<const N: usize>(slices: [&[f32]; N], f: impl Fn(f32, [f32; N]) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let parts = slices.map(|slice| slice.as_chunks::<LANES>());
    let count = parts.iter().map(|part| part.0.len()).min().unwrap_or(0);
    let lanes = parts.map(|part| &part.0[..count]);
    for i in 0..count {
        for l in 0..LANES {
            sums[l] = f(sums[l], lanes.map(|lanes| lanes[i][l]));
        }
    }
    let rest = parts.map(|part| part.1);
    let count = rest.iter().map(|rest| rest.len()).min().unwrap_or(0);
    for (l, sum) in sums.iter_mut().enumerate().take(count) {
        *sum = f(*sum, rest.map(|rest| rest[l]));
    }
    sums.iter().sum()
}

/// The greatest of the numbers.
#[inline(always)]
pub fn greatest(slice: &[f32]) -> f32 {
    let mut greatest = [f32::NEG_INFINITY; LANES];
    let (lanes, rest) = slice.as_chunks::<LANES>();
    for x in lanes {
        for l in 0..LANES {
            greatest[l] = if x[l] > greatest[l] { x[l] } else { greatest[l] };
        }
    }
    greatest.iter().chain(rest).fold(f32::NEG_INFINITY, |m, x| m.max(*x))
}

vectorized! {
    /// Sum of the products.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum_lanes([a, b], |sum, [a, b]| fma::<FMA>(a, b, sum))
    }
}

vectorized! {
    /// `sum[j] += Σ_i rows[i, j]`, row by row.
    pub fn add_rows(sum: &mut [f32], rows: &[f32]) {
        for row in rows.chunks_exact(sum.len().max(1)) {
            for (sum, x) in sum.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    vectorized! {
        fn exp_all(x: &mut [f32]) {
            for x in x {
                *x = exp::<FMA>(*x);
            }
        }
    }

    #[test]
    fn exp_is_exact_to_the_last_digit() {
        let x: Vec<f32> = (0..2_000_000).map(|i| -70.0 + i as f32 * 79e-6).collect();
        let (mut y, mut worst) = (x.clone(), 0f64);
        exp_all(&mut y);
        for (x, y) in x.iter().zip(&y) {
            worst = worst.max((*y as f64 / (*x as f64).exp() - 1.0).abs());
            worst = worst.max((exp::<false>(*x) as f64 / (*x as f64).exp() - 1.0).abs());
        }
        assert!(worst < 1.5e-7, "{worst}");
        assert!(exp::<false>(f32::NAN).is_nan());
        assert!(exp::<false>(-1e30) == 0.0 && exp::<false>(1e30).is_finite());
    }

    #[test]
    fn sums_are_whole() {
        for n in [0, 1, 15, 16, 17, 100] {
            let (a, b): (Vec<f32>, Vec<f32>) = (0..n).map(|i| (i as f32, 2.0)).unzip();
            assert_eq!(dot(&a, &b), (n * n.max(1) - n) as f32);
            let mut sum = vec![1.0; n];
            add_rows(&mut sum, &[a.clone(), a].concat());
            assert!(sum.iter().enumerate().all(|(i, s)| *s == 1.0 + 2.0 * i as f32));
        }
    }
}
