/// The known word that was most likely meant, if any is near enough to be worth a question.
///
/// Near is: up to a third of the letters wrong, missing, added or swapped, case and `-` for `_` aside; or one word begins
/// with the other.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    known
        .into_iter()
        .filter_map(|candidate| {
            let other = fold(candidate);
            let distance = distance(&folded, &other);
            let near = distance <= (folded.len().max(other.len()) / 3).max(1) || begins(&folded, &other);
            near.then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The question to ask, if any.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|known| format!("did you mean \"{known}\"?"))
}

fn fold(word: &str) -> Vec<char> {
    word.chars().map(|character| if character == '-' { '_' } else { character.to_ascii_lowercase() }).collect()
}

fn begins(one: &[char], other: &[char]) -> bool {
    one.len().min(other.len()) >= 3 && (one.starts_with(other) || other.starts_with(one))
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
fn distance(one: &[char], other: &[char]) -> usize {
    let (mut before_last, mut last) = (Vec::new(), (0..=other.len()).collect::<Vec<_>>());
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["path", "require", "max_age", "max_skew", "certificate", "upstream"];

    #[test]
    fn slips_of_the_finger_are_understood() {
        for (slip, meant) in [
            ("require_", "require"),
            ("requir", "require"),
            ("maxage", "max_age"),
            ("max-age", "max_age"),
            ("Path", "path"),
            ("ptah", "path"),
            ("upsteram", "upstream"),
            ("cert", "certificate"),
        ] {
            assert_eq!(nearest(slip, KEYS), Some(meant), "{slip}");
        }
    }

    #[test]
    fn what_is_far_from_everything_is_left_alone() {
        for word in ["", "x", "colour", "schemes"] {
            assert_eq!(nearest(word, KEYS), None, "{word}");
        }
        assert_eq!(did_you_mean("colour", KEYS), None);
    }

    #[test]
    fn a_swap_counts_once() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("ab"), &chars("ba")), 1);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
    }
}
