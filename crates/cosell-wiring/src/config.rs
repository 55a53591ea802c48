use std::{env, fmt, str::FromStr};

use cosell_model::{Catalog, file};

/// Every setting that is missing or unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfigured(pub Vec<String>);

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the function's environment is not complete: {}", self.0.join("; "))
    }
}

impl std::error::Error for Misconfigured {}

/// A type that a setting can have.
pub trait Setting: Sized {
    /// Reads the variable's text; `None` when it is not set.
    fn from_text(text: Option<String>) -> Result<Self, String>;
}

impl Setting for String {
    fn from_text(text: Option<String>) -> Result<Self, String> {
        text.filter(|text| !text.is_empty()).ok_or_else(|| "is not set".to_owned())
    }
}

impl Setting for Option<String> {
    fn from_text(text: Option<String>) -> Result<Self, String> {
        Ok(text.filter(|text| !text.is_empty()))
    }
}

macro_rules! parsed {
    ($($ty:ty),*) => {$(
        impl Setting for $ty {
            fn from_text(text: Option<String>) -> Result<Self, String> {
                String::from_text(text)?.parse().map_err(|cause| format!("is unusable: {cause}"))
            }
        }
    )*};
}

parsed!(u16, u32, Catalog, AceBucketName);

/// The name of AWS's bucket, and the partner's number in it.
#[derive(Debug, Clone)]
pub struct AceBucketName {
    /// The whole name.
    pub name: String,
    /// AWS's number of the partner.
    pub partner: String,
}

impl FromStr for AceBucketName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match file::partner_of(name) {
            Some(partner) => Ok(Self { name: name.to_owned(), partner: partner.to_owned() }),
            None => {
                Err("AWS's buckets are called ace-apn-NUMBER-beta-us-west-2 or ace-apn-NUMBER-prod-us-west-2"
                    .to_owned())
            }
        }
    }
}

/// A JSON object of texts, in the order it was written in.
impl Setting for Vec<(String, String)> {
    fn from_text(text: Option<String>) -> Result<Self, String> {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&String::from_text(text)?).map_err(|cause| format!("is unusable: {cause}"))?;
        object
            .into_iter()
            .map(|(key, value)| {
                let value = value.as_str().ok_or_else(|| format!("is unusable: `{key}` is not a text"))?;
                Ok((key.clone(), value.to_owned()))
            })
            .collect()
    }
}

/// Reads one setting and notes what is wrong with it. For [`config!`](crate::config!).
pub fn read<S: Setting>(name: &str, problems: &mut Vec<String>) -> Option<S> {
    S::from_text(env::var(name).ok()).map_err(|problem| problems.push(format!("{name} {problem}"))).ok()
}

/// Settings that the environment holds.
pub trait FromEnv: Sized {
    /// Reads them and notes all that is wrong.
    fn read(problems: &mut Vec<String>) -> Option<Self>;

    /// Reads them, or says all that is wrong.
    fn from_env() -> Result<Self, Misconfigured> {
        let mut problems = Vec::new();
        Self::read(&mut problems).ok_or(Misconfigured(problems))
    }
}

/// Declares settings, each with its variable or as a group of settings declared so too.
/// There is no default that stands in for a forgotten variable.
#[macro_export]
macro_rules! config {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $ty:ty $(= $variable:literal)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        impl $crate::FromEnv for $name {
            fn read(problems: &mut Vec<String>) -> Option<Self> {
                $(let $field = $crate::config!(@read problems, $ty $(, $variable)?);)*
                Some(Self { $($field: $field?,)* })
            }
        }
    };
    (@read $problems:ident, $ty:ty, $variable:literal) => { $crate::read::<$ty>($variable, $problems) };
    (@read $problems:ident, $ty:ty) => { <$ty as $crate::FromEnv>::read($problems) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::QueueSettings;

    crate::config! {
        /// For this test.
        pub struct Example {
            /// Missing.
            catalog: Catalog = "COSELL_TEST_CATALOG",
            /// Missing too.
            table: String = "COSELL_TEST_TABLE",
            /// May be missing.
            role: Option<String> = "COSELL_TEST_ROLE",
            /// A group.
            queue: QueueSettings,
        }
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let read = Example::from_env().map(|Example { catalog, table, role, queue }| (catalog, table, role, queue));
        let error = read.unwrap_err().to_string();
        assert!(error.contains("COSELL_TEST_CATALOG is not set; COSELL_TEST_TABLE is not set"), "{error}");
        assert!(error.contains("COSELL_QUEUE_URL is not set"), "of the group too: {error}");
        assert!(!error.contains("ROLE"), "{error}");
    }

    #[test]
    fn unusable_settings_say_why() {
        assert!(Catalog::from_text(Some("aws".into())).unwrap_err().contains("`AWS` or `Sandbox`"));
        assert!(u32::from_text(Some("x".into())).is_err());
        assert_eq!(
            Vec::from_text(Some(r#"{"b":"1","a":"2"}"#.into())),
            Ok(vec![("b".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())])
        );
    }
}
