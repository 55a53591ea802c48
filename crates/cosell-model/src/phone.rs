//! Phone numbers as people type them, in the form that Partner Central's API takes.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL as NUMBERS, PhoneNumber, PhoneNumberFormat, Region};

/// Bytes; a number with all that people write around it has fewer.
const MAX_LENGTH: usize = 64;

/// The number in E.164 (`+4930123456`), the form that Partner Central's API takes, or `None` when it is none.
///
/// `country` is the ISO 3166 code (`DE`) of the record's customer. It makes a national number (`030 123456`) whole;
/// without it only an international one (`+49 30 123456`, `0049 30 123456`) is a number. A number's own calling code
/// counts more than `country`.
///
/// - What AWS takes stays as it is.
/// - A label or scheme before the number (`Tel.`, `tel:`) and an extension after it (`ext. 5`, `x5`, `#5`) are dropped:
///   E.164 has no place for them. Other words make it no number: none is better than one with their letters dialled.
/// - It must be as long as its country's numbers are. Whether it is given out to anybody is not asked: plans change,
///   and fictional numbers are fine.
///
/// The first number that is not in E.164 already loads the numbering plans: some milliseconds, 5 MB.
pub fn e164(text: &str, country: Option<&str>) -> Option<String> {
    if is_e164(text) {
        return Some(text.to_owned());
    }
    if text.len() > MAX_LENGTH {
        return None;
    }
    let number = read(bare(text)?, country.and_then(|code| code.parse().ok()))?;
    Some(number.to_string()).filter(|text| is_e164(text))
}

/// AWS's pattern, `\+[1-9]\d{1,14}`.
pub(crate) fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
}

/// The text without a label and an extension. `None` when there are other words in it.
fn bare(text: &str) -> Option<&str> {
    let text = text.trim();
    let after_label = text.trim_start_matches(char::is_alphabetic);
    let text = if after_label == text { text } else { after_label.strip_prefix(['.', ':'])? };

    let Some(end) = text.find(|c: char| c.is_alphabetic() || c == '#') else { return Some(text) };
    let (number, extension) = text.split_at(end);
    let mark = extension.trim_end_matches(|c: char| c.is_numeric() || c.is_whitespace() || ".:=-)".contains(c));
    ["x", "#", "ext", "extn", "extension"].iter().any(|known| mark.eq_ignore_ascii_case(known)).then_some(number)
}

/// The likelier one of a number's two readings: as it is dialled in the region, and as an international number that
/// is written with `00` wherever it is dialled from, or that lost its plus in a spreadsheet.
fn read(number: &str, region: Option<Region>) -> Option<PhoneNumber> {
    let dialled = parse(number, region);
    if number.contains(['+', '\u{ff0b}']) {
        return dialled;
    }
    let digits = NUMBERS.normalize_digits_only(number);
    let with_plus = |digits: &str| parse(&format!("+{digits}"), None);
    if let Some(international) = digits.strip_prefix("00") {
        return match dialled {
            Some(dialled) if dialled.is_valid() => Some(dialled),
            dialled => with_plus(international).or(dialled),
        };
    }
    let dialled = dialled?;
    // `4915123456789` is a number in the far north of Germany, but one that nobody writes without its 0.
    let as_written = NUMBERS.normalize_digits_only(dialled.format_as(PhoneNumberFormat::National)) == digits;
    if !as_written && digits.starts_with(&dialled.country_code.to_string()) {
        return with_plus(&digits).filter(PhoneNumber::is_valid).or(Some(dialled));
    }
    Some(dialled)
}

fn parse(number: &str, region: Option<Region>) -> Option<PhoneNumber> {
    let number = NUMBERS.parse(number, region).ok()?;
    (number.is_possible_with_reason() == Ok(NumberLengthType::IsPossible)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_crms_hold_becomes_e164() {
        #[rustfmt::skip]
        let numbers = [
            // As AWS takes it: left alone, wherever it leads.
            ("+4930123456", "", "+4930123456"),
            ("+12065550100", "DE", "+12065550100"),
            ("+99912", "", "+99912"),
            // National.
            ("(206) 555-0100", "US", "+12065550100"),
            ("1-206-555-0100", "US", "+12065550100"),
            ("(555) 123-4567", "US", "+15551234567"),
            ("030 / 1234 5678", "DE", "+493012345678"),
            ("030 1234567-12", "DE", "+4930123456712"),
            ("030 1234567", "de", "+49301234567"),
            ("030 1234567", "Germany", ""),
            ("020 7946 0958", "GB", "+442079460958"),
            ("06 12 34 56 78", "FR", "+33612345678"),
            ("02 1234 5678", "IT", "+390212345678"),
            ("393 123 4567", "IT", "+393931234567"),
            ("8 (495) 123-45-67", "RU", "+74951234567"),
            ("011 15-2345-6789", "AR", "+5491123456789"),
            ("98765 43210", "IN", "+919876543210"),
            ("030 1234567", "", ""),
            ("206-555-0100", "", ""),
            ("206-555-0100", "XX", ""),
            ("555-0100", "US", ""),
            ("911", "US", ""),
            // International.
            ("+1 206.555.0100", "", "+12065550100"),
            ("+1 206 555 0100", "XX", "+12065550100"),
            ("(+49) 30 1234567", "US", "+49301234567"),
            ("+49 (0)30 1234567", "", "+49301234567"),
            ("0044 20 7946 0958", "", "+442079460958"),
            ("0044 20 7946 0958", "US", "+442079460958"),
            ("(0044) 20 7946 0958", "DE", "+442079460958"),
            ("011 44 20 7946 0958", "US", "+442079460958"),
            ("0011 64 9 355 2000", "AU", "+6493552000"),
            ("00 1 206 555 0100", "AU", "+12065550100"),
            ("+800 1234 5678", "", "+80012345678"),
            // Without its plus.
            ("12065550100", "US", "+12065550100"),
            ("4915123456789", "DE", "+4915123456789"),
            ("49 30 1234567", "DE", "+49301234567"),
            ("919876543210", "IN", "+919876543210"),
            ("442079460958", "US", ""),
            // With a label, an extension, or both.
            ("tel:+49-30-1234567", "US", "+49301234567"),
            ("tel:+49-30-1234567;ext=5", "", "+49301234567"),
            ("Tel.: 030 1234567", "DE", "+49301234567"),
            ("M: 0171 1234567", "DE", "+491711234567"),
            ("+1 206.555.0100 ext. 5", "", "+12065550100"),
            ("206-555-0100 x5", "US", "+12065550100"),
            ("206-555-0100 (Ext 12)", "US", "+12065550100"),
            ("206-555-0100 #5", "US", "+12065550100"),
            ("206-555-0100 ext.", "US", "+12065550100"),
            // In other scripts, and pasted from documents.
            ("\u{ff0b}４９３０１２３４５６７", "", "+49301234567"),
            ("٠٢٠٧٩٤٦٠٩٥٨", "GB", "+442079460958"),
            ("+٩٦٦٥٠١٢٣٤٥٦٧", "", "+966501234567"),
            ("٠٠٤٤٢٠٧٩٤٦٠٩٥٨", "", "+442079460958"),
            ("206–555–0100", "US", "+12065550100"),
            ("206\u{2011}555\u{2011}0100", "US", "+12065550100"),
            ("\u{202a}+1\u{a0}206\u{a0}555\u{a0}0100\u{202c}", "", "+12065550100"),
            // Too short, too long, of no country.
            ("+49 1", "", ""),
            ("+1 206 555", "", ""),
            ("+1 206 555 01000", "", ""),
            ("+1234567890123456", "", ""),
            ("+49 30 12345678901234", "", ""),
            ("+999 1234567", "", ""),
            ("+0 123 4567890", "", ""),
            (&format!("+1 206 555 0100{}", " ".repeat(50)), "", ""),
            // No numbers.
            ("", "DE", ""),
            ("+", "DE", ""),
            ("n/a", "US", ""),
            ("unknown", "US", ""),
            ("ada@example.com", "US", ""),
            ("10115 Berlin", "DE", ""),
            ("ACME 2000", "DE", ""),
            ("0171 1234567 (mobil)", "DE", ""),
            ("1-800-FLOWERS", "US", ""),
            ("2.065550100E9", "US", ""),
            ("030 1234567 oder 0171 1234567", "DE", ""),
            ("206-555-0100 / 206-555-0101", "US", ""),
            ("206-555-0100; 206-555-0101", "US", ""),
        ];
        for (text, country, expected) in numbers {
            let country = Some(country).filter(|country| !country.is_empty());
            let expected = Some(expected.to_owned()).filter(|expected| !expected.is_empty());
            assert_eq!(e164(text, country), expected, "{text} {country:?}");
        }
    }

    fn typed() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), r"[+0]{0,2}[0-9]{1,4}[-0-9 ()./;,#x\u{660}-\u{669}\u{ff10}-\u{ff19}]{0,24}"]
    }

    fn country() -> impl Strategy<Value = Option<String>> {
        prop::option::of(prop_oneof![4 => "[A-Z]{2}", 1 => any::<String>(), 1 => Just("001".to_owned())])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn anything_becomes_what_aws_takes_or_nothing(text in typed(), country in country()) {
            if let Some(number) = e164(&text, country.as_deref()) {
                prop_assert!(is_e164(&number), "{}", number);
                prop_assert_eq!(e164(&number, None), Some(number));
            }
        }
    }
}
