//! Did-you-mean: the known name nearest to a mistyped one.

/// The candidate nearest to `typed`, if one is near enough to be what was meant: at most one
/// edit in every four letters, so that unrelated names are never suggested.
pub fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = typed.chars().count().div_ceil(4).min(4);
    candidates
        .filter(|candidate| candidate.len().abs_diff(typed.len()) <= limit)
        .map(|candidate| (edit_distance(typed, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`
/// (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_key_and_a_strange_name_finds_none() {
        let keys = ["num.partitions", "log.dirs", "log.dir", "listeners"];
        let near = |typed| nearest(typed, keys.into_iter());
        assert_eq!(near("num.partitons"), Some("num.partitions"));
        assert_eq!(near("num.partitoins"), Some("num.partitions"));
        assert_eq!(near("log.dirss"), Some("log.dirs"));
        assert_eq!(near("listener"), Some("listeners"));
        assert_eq!(near("confluent.license"), None);
        assert_eq!(near(""), None);
    }
}
