use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The version of the records in a file. It only goes up: once a partner has sent 2.0, AWS reads nothing older.
///
/// 1.0 is AWS's field definitions up to v13, 2.0 those from v14 on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PayloadVersion {
    /// Fields of v13. AWS fills what 2.0 requires and 1.0 does not know.
    #[serde(rename = "1.0")]
    V1,
    /// Fields of v14 and later.
    #[default]
    #[serde(rename = "2.0")]
    V2,
}

impl PayloadVersion {
    /// The spelling that is written into files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }

    /// Whether AWS takes files of this version after it was sent `last`.
    pub fn may_follow(self, last: Self) -> bool {
        self >= last
    }
}

impl fmt::Display for PayloadVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A version that is neither 1 nor 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no payload version: there are 1.0 and 2.0")]
pub struct UnknownVersion(pub String);

impl FromStr for PayloadVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        match text.trim() {
            "1" | "1.0" => Ok(Self::V1),
            "2" | "2.0" => Ok(Self::V2),
            other => Err(UnknownVersion(other.chars().take(20).collect())),
        }
    }
}

/// Which of AWS's two interfaces a record travels through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// The Partner Central API.
    Api,
    /// The S3 files, in this payload version.
    File(PayloadVersion),
}

/// Which way a field travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// From AWS to the partner only.
    FromAws,
    /// From the partner to AWS only.
    ToAws,
}

impl Direction {
    /// The spelling of mapping files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::FromAws => "from_aws",
            Self::ToAws => "to_aws",
        }
    }

    /// Whether the partner may send it.
    pub fn sends(self) -> bool {
        self != Self::FromAws
    }

    /// Whether AWS sends it.
    pub fn receives(self) -> bool {
        self != Self::ToAws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_go_up_only() {
        for (text, expected) in [("1", PayloadVersion::V1), ("1.0", PayloadVersion::V1), (" 2.0 ", PayloadVersion::V2)]
        {
            assert_eq!(text.parse(), Ok(expected));
        }
        assert!("3.0".parse::<PayloadVersion>().is_err());
        assert!(PayloadVersion::V2.may_follow(PayloadVersion::V1));
        assert!(PayloadVersion::V2.may_follow(PayloadVersion::V2));
        assert!(!PayloadVersion::V1.may_follow(PayloadVersion::V2));
    }
}
