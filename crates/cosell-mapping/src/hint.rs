//! What somebody may have meant who wrote something else.

/// A spelling without what people write in different ways.
pub fn fold(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A hint at which of the known names was meant, for the end of a message.
pub fn meant<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> String {
    const ALIKE: f64 = 0.85;
    let (lower, folded) = (text.to_lowercase(), fold(text));
    let score = |name: &str| {
        if fold(name) == folded { 1.0 } else { strsim::jaro_winkler(&name.to_lowercase(), &lower) }
    };
    let close = known.map(|name| (score(name), name)).filter(|(score, _)| *score > ALIKE);
    close
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(String::new, |(_, name)| format!(" (did you mean `{name}`?)"))
}
