//! How a convolution spreads its weight over the tokens before.

use super::{Context, ProbeKind, mean};
use crate::error::Result;
use crate::model::Parameter;
use crate::record::Table;
use crate::spec::check::nothing;
use crate::spec::{Kind, Trait};

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "conv_weights",
        doc: "The kernel's Frobenius norm by offset (0 is the current token, 1 the one before), the \
              share of the squared norm at each offset, and the norm by output channel. The block \
              is residual: the current token also passes unchanged beside the kernel.",
        example: "probe = \"conv_weights\"",
        keys: &[],
        traits: &[Trait::NeedsKernel],
        check: nothing,
    },
    measure,
    finish: None,
};

fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("layer", ""),
        ("offset", "tokens back"),
        ("norm", ""),
        ("share", "share of squared norm"),
    ];
    let mut offsets = Table::new("offsets", &columns);
    let columns = [
        ("step", "steps"),
        ("tokens", "tokens"),
        ("layer", ""),
        ("channel", ""),
        ("offset", "tokens back"),
        ("norm", ""),
    ];
    let mut channels = Table::new("channels", &columns);
    for (layer, kernel) in kernels(cx) {
        let squares = by_channel(&kernel);
        let taps = squares.first().map_or(0, Vec::len);
        let of_offset = |o: usize| squares.iter().map(|c| c[o]).sum::<f64>();
        let total: f64 = (0..taps).map(of_offset).sum();
        for offset in 0..taps {
            let square = of_offset(offset);
            let share = if total > 0.0 { square / total } else { mean([]) };
            offsets.push(cx.row([layer.into(), offset.into(), square.sqrt().into(), share.into()]));
        }
        for (channel, of_channel) in squares.iter().enumerate() {
            for (offset, square) in of_channel.iter().enumerate() {
                let cells = [layer.into(), channel.into(), offset.into(), square.sqrt().into()];
                channels.push(cx.row(cells));
            }
        }
    }
    Ok(vec![offsets, channels])
}

/// Every layer's kernel `[d_model, d_model or 1, kernel_size]`.
fn kernels(cx: &Context<'_>) -> Vec<(usize, Parameter)> {
    let named = |layer: usize| Some((layer, cx.subject.parameter(&format!("blocks.{layer}.conv.W"))?));
    (0..cx.subject.n_layers()).filter_map(named).collect()
}

/// Squared norms by output channel and offset; the last tap is offset 0.
fn by_channel(kernel: &Parameter) -> Vec<Vec<f64>> {
    let &[channels, inputs, taps] = kernel.shape.as_slice() else { return Vec::new() };
    let square = |channel: usize, offset: usize| {
        let tap = taps - 1 - offset;
        let weight = |input: usize| f64::from(kernel.values[(channel * inputs + input) * taps + tap]);
        (0..inputs).map(|input| weight(input).powi(2)).sum::<f64>()
    };
    (0..channels).map(|channel| (0..taps).map(|offset| square(channel, offset)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tap_is_the_current_token() {
        let values = vec![3.0, 1.0, 4.0, 0.0, 0.0, 2.0, 0.0, 0.0];
        let kernel = Parameter { shape: vec![2, 2, 2], values };
        // Channel 0: taps [3, 1] and [4, 0]; channel 1: [0, 2] and [0, 0].
        assert_eq!(by_channel(&kernel), vec![vec![1.0, 25.0], vec![4.0, 0.0]]);
    }
}
