//! Record ids: 15 case-sensitive characters and a suffix that tells the case of each.

use super::errors::{Problem, code};

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SUFFIX: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The 18-character form of a 15-character id.
pub fn full(id: &str) -> String {
    let suffix = id.as_bytes().chunks(5).map(|five| {
        let bits = five
            .iter()
            .enumerate()
            .filter(|(_, letter)| letter.is_ascii_uppercase())
            .fold(0, |bits, (index, _)| bits | (1 << index));
        char::from(SUFFIX[bits])
    });
    id.chars().chain(suffix).collect()
}

/// An id for the `number`th record of a run.
pub fn numbered(prefix: &str, number: u64) -> String {
    let mut rest = number;
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[usize::try_from(rest % 62).unwrap_or_default()];
        rest /= 62;
    }
    full(&format!("{prefix}Hs0{}", String::from_utf8_lossy(&digits)))
}

/// The 18-character form of a 15- or 18-character id, or why it is none.
pub fn normal(field: &str, id: &str) -> Result<String, Problem> {
    let whole = id.bytes().all(|letter| letter.is_ascii_alphanumeric());
    match id.len() {
        15 if whole => Ok(full(id)),
        18 if whole && full(&id[..15]) == id => Ok(id.to_owned()),
        _ => Err(Problem::field(code::MALFORMED_ID, format!("{field}: id value of incorrect type: {id}"), field)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_tells_the_case() {
        // Pairs that Salesforce's own documentation and orgs show.
        assert_eq!(full("001000000000000"), "001000000000000AAA");
        assert_eq!(full("00D000000000062"), "00D000000000062EAA");
        assert_eq!(full("0017000000hgXD2"), "0017000000hgXD2AAM");
        assert_eq!(full("005300000093OBv"), "005300000093OBvAAM");
    }

    #[test]
    fn ids_are_normalized_or_refused() {
        assert_eq!(normal("Id", "00D000000000062").ok().as_deref(), Some("00D000000000062EAA"));
        assert_eq!(normal("Id", "00D000000000062EAA").ok().as_deref(), Some("00D000000000062EAA"));
        assert!(normal("Id", "00D000000000062AAA").is_err());
        assert!(normal("Id", "O123").is_err());
    }

    #[test]
    fn numbered_ids_differ_and_keep_their_prefix() {
        let (one, other) = (numbered("006", 61), numbered("006", 62));
        assert!(one.starts_with("006Hs0") && one.len() == 18 && other.len() == 18);
        assert_ne!(one, other);
    }
}
