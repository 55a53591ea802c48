use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Text that is not an identifier of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct InvalidId {
    /// What was read.
    pub text: String,
    /// What would have been right.
    pub expected: &'static str,
}

/// Which world of Partner Central a record lives in. Identifiers of one mean nothing in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Catalog {
    /// Production.
    #[serde(rename = "AWS")]
    Aws,
    /// AWS's test environment.
    Sandbox,
}

impl Catalog {
    /// The spelling on the wire; AWS compares it case-sensitively.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Sandbox => "Sandbox",
        }
    }
}

impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Catalog {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "AWS" => Ok(Self::Aws),
            "Sandbox" => Ok(Self::Sandbox),
            _ => Err(InvalidId { text: text.to_owned(), expected: "a catalog (`AWS` or `Sandbox`)" }),
        }
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId { text: text.to_owned(), expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

fn letter_and_digits(text: &str, letter: char) -> bool {
    text.strip_prefix(letter)
        .is_some_and(|digits| (1..=19).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

id!(
    /// An opportunity in Partner Central: `O` and 1 to 19 digits.
    OpportunityId,
    "an opportunity identifier (`O` and digits)",
    |text| letter_and_digits(text, 'O')
);
id!(
    /// A lead in the ACE files: `L` and 1 to 19 digits.
    LeadId,
    "a lead identifier (`L` and digits)",
    |text| letter_and_digits(text, 'L')
);
id!(
    /// An engagement invitation: `engi-` and 13 lower-case letters or digits.
    InvitationId,
    "an engagement invitation identifier (`engi-…`)",
    |text| text.strip_prefix("engi-").is_some_and(|rest| {
        rest.len() == 13 && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
);
id!(
    /// An engagement: `eng-` and 14 lower-case letters or digits.
    EngagementId,
    "an engagement identifier (`eng-…`)",
    |text| text.strip_prefix("eng-").is_some_and(|rest| {
        rest.len() == 14 && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
);

macro_rules! from_id_or_arn {
    ($($name:ident),*) => {$(
        impl $name {
            /// Reads an identifier or the ARN that ends in it: AWS uses both in the same places.
            pub fn from_id_or_arn(text: &str) -> Result<Self, InvalidId> {
                text.rsplit('/').next().unwrap_or(text).parse()
            }
        }
    )*};
}
from_id_or_arn!(InvitationId, EngagementId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_checked() {
        assert!("O1234567".parse::<OpportunityId>().is_ok());
        for wrong in ["", "O", "o1", "O12x", "O12345678901234567890", "S-1"] {
            assert!(wrong.parse::<OpportunityId>().is_err(), "{wrong}");
        }
        assert!("L1234567".parse::<LeadId>().is_ok());
        assert!("engi-0123456789abc".parse::<InvitationId>().is_ok());
        assert!("engi-0123456789ABC".parse::<InvitationId>().is_err());
        let arn = "arn:aws:partnercentral:us-east-1::catalog/AWS/engagement-invitation/engi-0123456789abc";
        assert_eq!(InvitationId::from_id_or_arn(arn).map(String::from), Ok("engi-0123456789abc".to_owned()));
    }

    #[test]
    fn the_catalog_is_case_sensitive() {
        assert_eq!("AWS".parse(), Ok(Catalog::Aws));
        assert!("aws".parse::<Catalog>().is_err());
    }
}
