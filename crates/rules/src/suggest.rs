//! The name that somebody may have meant.

/// `; did you mean ...?` where one of the known words is near, or nothing.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let lower = word.to_lowercase();
    known
        .into_iter()
        // A capital is no other letter, and a word that was cut short is near.
        .map(|known| {
            let known_lower = known.to_lowercase();
            let is_cut = lower.len() >= 3 && known_lower.starts_with(&lower);
            let distance = strsim::damerau_levenshtein(&lower, &known_lower);
            (if is_cut { distance.min(1) } else { distance }, known)
        })
        .min()
        // A third of the letters may be wrong, at least one.
        .filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1))
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}
