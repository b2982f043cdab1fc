//! Places for names beside dots, so that they cover nothing.

use super::chart::LETTERS;
use super::text;

/// A place `[x, y, width, height]` for a name beside a dot: in a frame `[left, top, width, height]`
/// and over nothing that is taken, if there is one.
pub fn spot([x, y]: [f64; 2], name: &str, frame: [f64; 4], taken: &[[f64; 4]]) -> Option<[f64; 4]> {
    let (width, height) = (text::width(name, LETTERS), LETTERS + 2.0);
    let sides = (0..6).flat_map(|step| {
        let away = f64::from(step) * 7.0;
        let (above, below) = (y - height / 2.0 - away, y - height / 2.0 + away);
        [[x + 9.0, above], [x - 9.0 - width, above], [x + 9.0, below], [x - 9.0 - width, below]]
    });
    let over = [[x - width / 2.0, y - 10.0 - height], [x - width / 2.0, y + 10.0]];
    let mut spots = sides.chain(over).map(|[x, y]| [x, y, width, height]);
    let inside = |spot: &[f64; 4]| {
        (0..2).all(|i| spot[i] >= frame[i] && spot[i] + spot[i + 2] <= frame[i] + frame[i + 2])
    };
    spots.find(|spot| inside(spot) && taken.iter().all(|other| apart(spot, other)))
}

fn apart(a: &[f64; 4], b: &[f64; 4]) -> bool {
    (0..2).any(|i| a[i] + a[i + 2] <= b[i] || b[i] + b[i + 2] <= a[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_place_lie_apart_and_on_the_page() {
        let (page, mut taken) = ([0.0, 0.0, 200.0, 100.0], vec![[185.0, 45.0, 10.0, 10.0]]);
        for name in ["1.0", "1.1", "1.2", "1.3"] {
            let spot = spot([190.0, 50.0], name, page, &taken).unwrap();
            assert!(spot[0] + spot[2] <= 200.0 && taken.iter().all(|other| apart(&spot, other)), "{spot:?}");
            taken.push(spot);
        }
        assert_eq!(spot([190.0, 50.0], "1.4", page, &[page]), None);
    }
}
