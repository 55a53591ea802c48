//! JSON as it is read from files that somebody else wrote: strictly, and looked into only where it is needed.

use std::{borrow::Cow, collections::HashSet};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::file::UnusableFile;

/// The text of a file, which must be UTF-8 without a byte order mark.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, UnusableFile> {
    if [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| bytes.starts_with(mark)) {
        return Err(UnusableFile::Encoding { at: 0, marked: true });
    }
    str::from_utf8(bytes).map_err(|error| UnusableFile::Encoding { at: error.valid_up_to(), marked: false })
}

/// Looks for a member that an object has twice, however deep: the caller bounds the nesting.
pub(crate) fn twice(raw: &RawValue) -> Result<(), UnusableFile> {
    let text = raw.get();
    if text.starts_with('{') {
        let Members(members) = serde_json::from_str(text)?;
        let mut seen = HashSet::new();
        for (name, value) in &members {
            if !seen.insert(name) {
                return Err(UnusableFile::Twice(name.clone().into_owned()));
            }
            twice(value)?;
        }
    } else if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text)?;
        items.into_iter().try_for_each(twice)?;
    }
    Ok(())
}

/// The members of an object in order, values not yet looked into.
pub(crate) struct Members<'j>(pub(crate) Vec<(Cow<'j, str>, &'j RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(96);
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Text that is borrowed where nothing in it is escaped.
pub(crate) struct Text<'j>(pub(crate) Cow<'j, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(Borrowed)
    }
}
