//! The name that was meant.

/// The name nearest to a misspelt one, if any is near: a few letters apart, or the only one of which
/// it is the beginning or a whole part (`conv` of `conv1d`, `vocab` of `d_vocab`).
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = simple(wrong);
    let candidates: Vec<&str> = names.into_iter().collect();
    let letters = wrong.chars().count();
    if letters < 2 {
        return None;
    }
    let near = |name: &str| {
        let name = simple(name);
        let distance = strsim::damerau_levenshtein(&wrong, &name);
        // One letter of three is another word ("gpu" is not "cpu") unless the words begin alike.
        let alike = letters > 3 || wrong.chars().next() == name.chars().next();
        (distance <= (letters / 3).clamp(1, 3) && alike).then_some(distance)
    };
    let closest = candidates.iter().filter_map(|name| Some((near(name)?, *name))).min_by_key(|(d, _)| *d);
    let only = |has: &dyn Fn(&str) -> bool| {
        let mut found = candidates.iter().copied().filter(|name| letters >= 3 && has(&simple(name)));
        found.next().filter(|_| found.next().is_none())
    };
    closest
        .map(|(_, name)| name)
        .or_else(|| only(&|name| name.starts_with(&wrong)))
        .or_else(|| only(&|name| name.split('_').any(|part| part == wrong)))
}

/// `dModel`, `d-model` and `D_MODEL` are `d_model`.
fn simple(name: &str) -> String {
    let mut simple = String::with_capacity(name.len());
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            simple.push('_');
        }
        simple.extend(if c == '-' || c == ' ' { '_' } else { c }.to_lowercase());
        before = c;
    }
    simple
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_name_that_was_meant_is_found_and_no_other() {
        let keys = ["d_model", "n_ctx", "n_heads", "kernel_size", "lr", "betas", "weight_decay", "path"];
        let meant = |wrong| nearest(wrong, keys);
        assert_eq!(meant("n_head"), Some("n_heads"));
        assert_eq!(meant("dModel"), Some("d_model"));
        assert_eq!(meant("D-MODEL"), Some("d_model"));
        assert_eq!(meant("kernelsize"), Some("kernel_size"));
        assert_eq!(meant("kernel"), Some("kernel_size"));
        assert_eq!(meant("heads"), Some("n_heads"));
        assert_eq!(meant("decay"), Some("weight_decay"));
        assert_eq!(meant("lrr"), Some("lr"));
        assert_eq!(meant("l"), None);
        assert_eq!(meant("dropout"), None);
        assert_eq!(nearest("gpu", ["auto", "cpu", "cuda"]), None);
        assert_eq!(nearest("cdua", ["auto", "cpu", "cuda"]), Some("cuda"));
        assert_eq!(nearest("", keys), None);
    }
}
