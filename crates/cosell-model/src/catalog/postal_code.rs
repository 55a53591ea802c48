//! Postal codes by country, as AWS checks them. Source: AWS's sheets of postal code validations and of countries without
//! postal codes.

use std::{collections::HashMap, sync::LazyLock};

/// What is known of a country's postal codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostalCodes {
    /// The country has none.
    None,
    /// One of these forms, separated by `|`: `#` is a digit, `@` a letter, anything else itself.
    Forms(&'static str),
    /// It has some, and AWS checks no form.
    Unchecked,
}

/// The postal codes of a country, by its ISO code.
pub fn of(country: &str) -> PostalCodes {
    static FORMS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
        include_str!("../../data/postal_codes.tsv").lines().filter_map(|line| line.split_once('\t')).collect()
    });
    match FORMS.get(country).copied() {
        Some("-") => PostalCodes::None,
        Some(forms) => PostalCodes::Forms(forms),
        None => PostalCodes::Unchecked,
    }
}

impl PostalCodes {
    /// Whether `code` has one of the forms. Case does not matter.
    pub fn fit(self, code: &str) -> bool {
        match self {
            Self::None => false,
            Self::Unchecked => true,
            Self::Forms(forms) => forms.split('|').any(|form| has_form(code, form)),
        }
    }
}

fn has_form(code: &str, form: &str) -> bool {
    code.chars().count() == form.chars().count()
        && code.chars().zip(form.chars()).all(|(c, form)| match form {
            '#' => c.is_ascii_digit(),
            '@' => c.is_ascii_alphabetic(),
            literal => c.eq_ignore_ascii_case(&literal),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::countries;

    #[test]
    fn codes_are_held_against_their_country() {
        for (country, code, expected) in [
            ("US", "98101", true),
            ("US", "98101-1234", true),
            ("US", "9810", false),
            ("CA", "K1A 0B1", true),
            ("CA", "k1a0b1", true),
            ("GB", "SW1A 1AA", true),
            ("DE", "1234", false),
            ("NL", "1012 AB", true),
            ("AE", "00000", false),
            ("JP", "100-0001", true),
        ] {
            assert_eq!(of(country).fit(code), expected, "{country} {code}");
        }
        assert_eq!(of("AE"), PostalCodes::None);
    }

    #[test]
    fn every_country_of_the_table_exists() {
        for line in include_str!("../../data/postal_codes.tsv").lines() {
            let (code, forms) = line.split_once('\t').unwrap();
            assert!(countries().any(|country| country.code == code), "{code}");
            assert!(!forms.is_empty(), "{code}");
        }
    }
}
