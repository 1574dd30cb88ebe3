//! The hint "did you mean" for a misspelt name.

/// The text `; did you mean ...?` if a known word is similar, else an empty text.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let lower = word.to_lowercase();
    known
        .into_iter()
        // Case does not count, and a word that is the beginning of a known word is close to it.
        .map(|known| {
            let known_lower = known.to_lowercase();
            let is_cut = lower.len() >= 3 && known_lower.starts_with(&lower);
            let distance = strsim::damerau_levenshtein(&lower, &known_lower);
            (if is_cut { distance.min(1) } else { distance }, known)
        })
        .min()
        // At most a third of the letters may be wrong, but always one.
        .filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1))
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}
