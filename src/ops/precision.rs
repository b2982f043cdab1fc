//! How matrix products take their numbers.

/// How matrix products take their numbers; they are summed in f32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// With 10 bits after the point, made inside the product.
    Tf32,
    /// As `bf16`, with 7 bits after the point.
    Bf16,
}

impl Precision {
    /// By its name in a plan.
    pub fn named(name: &str) -> Option<Precision> {
        match name {
            "f32" => Some(Precision::F32),
            "tf32" => Some(Precision::Tf32),
            "bf16" => Some(Precision::Bf16),
            _ => None,
        }
    }
}
