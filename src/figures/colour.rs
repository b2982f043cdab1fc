//! Colours that everyone can tell apart.
//!
//! Lines take the palette of Okabe & Ito (2008), without the yellow, which is too light for a line
//! on white. Amounts take one hue from white to dark blue whose lightness falls evenly (straight
//! lines through Oklab between `#FFFFFF`, `#2F7FBF` and `#08204A`): it reads in grey and to every
//! kind of colour vision.

use super::canvas::Colour;

/// Letters and axes.
pub const INK: Colour = Colour(0x22, 0x22, 0x22);
/// Secondary letters, ticks, thresholds.
pub const GREY: Colour = Colour(0x66, 0x66, 0x66);
/// Lines that stand back.
pub const PALE: Colour = Colour(0xb8, 0xb8, 0xb8);
/// Grid lines.
pub const GRID: Colour = Colour(0xe6, 0xe6, 0xe6);
/// What cannot hold a value.
pub const VOID: Colour = Colour(0xf0, 0xf0, 0xf0);
/// The page.
pub const PAPER: Colour = Colour(0xff, 0xff, 0xff);
/// The band of a phase change.
pub const BAND: Colour = Colour(0xfb, 0xe9, 0xc0);
/// Outlines on top of amounts: the one hue that blue is never taken for.
pub const MARK: Colour = Colour(0xd5, 0x5e, 0x00);

/// Okabe & Ito: blue, vermilion, bluish green, orange, reddish purple, sky blue, black.
pub const LINES: [Colour; 7] = [
    Colour(0x00, 0x72, 0xb2),
    Colour(0xd5, 0x5e, 0x00),
    Colour(0x00, 0x9e, 0x73),
    Colour(0xe6, 0x9f, 0x00),
    Colour(0xcc, 0x79, 0xa7),
    Colour(0x56, 0xb4, 0xe9),
    Colour(0x00, 0x00, 0x00),
];

/// The colour of an amount between 0 and 1; what is not a number has none.
pub fn amount(share: f64) -> Option<Colour> {
    if share.is_nan() {
        return None;
    }
    let x = share.clamp(0.0, 1.0) * (AMOUNTS.len() - 1) as f64;
    let i = (x as usize).min(AMOUNTS.len() - 2);
    let (a, b, t) = (AMOUNTS[i], AMOUNTS[i + 1], x - i as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * t).round() as u8;
    Some(Colour(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2)))
}

/// The colour of an amount between −1 and 1: brown below zero, white at it, blue above; what is not a number has
/// none. Both ends are as dark, and no kind of colour vision takes one for the other.
pub fn signed(share: f64) -> Option<Colour> {
    if share.is_nan() {
        return None;
    }
    // The amounts' blue as far as a letter can be read on it.
    let Colour(r, g, b) = amount(0.62 * share.abs().min(1.0))?;
    Some(if share < 0.0 { Colour(b, g, r) } else { Colour(r, g, b) })
}

/// Letters that can be read on a colour: of ink and paper what has the higher contrast (WCAG 2).
pub fn letters_on(Colour(r, g, b): Colour) -> Colour {
    let linear = |x: u8| {
        let x = f64::from(x) / 255.0;
        if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    if luminance > 0.21 { INK } else { PAPER }
}

/// Seventeen even steps of lightness.
const AMOUNTS: [Colour; 17] = [
    Colour(0xff, 0xff, 0xff),
    Colour(0xe8, 0xf1, 0xf9),
    Colour(0xd2, 0xe3, 0xf2),
    Colour(0xbc, 0xd4, 0xeb),
    Colour(0xa6, 0xc6, 0xe4),
    Colour(0x90, 0xb8, 0xdd),
    Colour(0x79, 0xaa, 0xd6),
    Colour(0x63, 0x9c, 0xcf),
    Colour(0x4b, 0x8e, 0xc7),
    Colour(0x30, 0x80, 0xbf),
    Colour(0x29, 0x71, 0xae),
    Colour(0x23, 0x63, 0x9c),
    Colour(0x1d, 0x55, 0x8b),
    Colour(0x17, 0x47, 0x7a),
    Colour(0x12, 0x39, 0x6a),
    Colour(0x0d, 0x2d, 0x5a),
    Colour(0x08, 0x20, 0x4a),
];
