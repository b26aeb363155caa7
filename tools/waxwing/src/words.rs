//! Numbers as people read them, and words as they mistype them.

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 block`, `1,204 blocks`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Bytes in the unit that leaves at most four digits.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if count < 10_000 {
        return format!("{} B", grouped(count));
    }
    let mut rest = count / 1000;
    for unit in units {
        if rest < 10_000 || unit == "TB" {
            return format!("{} {unit}", grouped(rest));
        }
        rest /= 1000;
    }
    grouped(count)
}

/// The one of these words that somebody may have meant: near enough that it is worth asking. It is said, never taken.
pub(crate) fn nearest<'w>(typed: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let lower = typed.to_lowercase();
    let near = known
        .map(|word| (strsim::damerau_levenshtein(&lower, &word.to_lowercase()), word))
        .min()?;
    let most = lower.chars().count().div_ceil(3).min(3);
    (near.0 <= most && !near.1.is_empty()).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let shown: Vec<_> = [0, 7, 999, 1000, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(shown, ["0", "7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["friends", "kitchen", "Zoë"];
        for (typed, word) in [
            ("freinds", Some("friends")),
            ("KITCHEN", Some("kitchen")),
            ("zoe", Some("Zoë")),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), word, "{typed}");
        }
        for typed in ["", "plans", "fr"] {
            assert_eq!(nearest(typed, known.into_iter()), None, "{typed}");
        }
        assert_eq!(nearest("x", [].into_iter()), None);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(count(1, "log", "logs"), "1 log");
        assert_eq!(count(2000, "log", "logs"), "2,000 logs");
    }

    #[test]
    fn bytes_are_shown_in_a_unit_that_fits() {
        let shown: Vec<_> = [0, 9_999, 10_000, 12_345_678_000, 5_000_000_000_000_000]
            .into_iter()
            .map(bytes)
            .collect();
        assert_eq!(shown, ["0 B", "9,999 B", "10 kB", "12 GB", "5,000 TB"]);
    }
}
