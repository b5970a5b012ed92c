//! Files that people hand to each other, encoded as strictly as records (protocol §4.2): one encoding for each value,
//! and limits that hold while reading.

use std::{fmt, io, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error, SeqAccess, Visitor},
};

/// Greatest length of such a file in bytes: 256 MiB, a log of some fifty thousand people.
pub(crate) const MAX_FILE: usize = 256 * 1024 * 1024;

/// What `bytes` say, if they are the one encoding of it. A line feed may follow.
pub(crate) fn parse<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let value = serde_json::from_slice(bytes).ok()?;
    let mut expected = Expected(bytes);
    serde_json::to_writer(&mut expected, &value).ok()?;
    expected.0.is_empty().then_some(value)
}

/// The first member of the file, which says what it is.
pub(crate) fn format(bytes: &[u8]) -> Option<&str> {
    let rest = bytes.strip_prefix(b"{\"format\":\"")?;
    let end = rest.iter().take(MAX_FORMAT).position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// Greatest length of a format's name in bytes.
const MAX_FORMAT: usize = 64;

/// Takes an encoding as long as it is what is expected, so that comparing needs no second copy.
struct Expected<'a>(&'a [u8]);

impl io::Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A list of at most `N` items; reading stops at the first one too many.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Bounded<T, const N: usize>(pub Vec<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Bounded<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items::<T, N>(PhantomData))
    }
}

struct Items<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Items<T, N> {
    type Value = Bounded<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {N} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() == N {
                return Err(A::Error::invalid_length(N + 1, &self));
            }
            list.push(item);
        }
        Ok(Bounded(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type List = Bounded<u8, 2>;

    #[test]
    fn one_encoding_and_no_other() {
        let read = |text: &str| parse::<List>(text.as_bytes()).map(|list| list.0);
        assert_eq!(read("[1,2]"), Some(vec![1, 2]));
        assert_eq!(read("[1,2]\n"), Some(vec![1, 2]));
        for wrong in ["[1, 2]", " [1,2]", "[1,2]\n\n", "[1,2,3]", "[1,2", "[1,2]]", "[01]", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let error = serde_json::from_str::<List>("[1,2,3]").unwrap_err().to_string();
        assert!(error.starts_with("invalid length 3, expected a list of at most 2 items"), "{error}");
    }

    #[test]
    fn the_limit_is_that_of_the_specification() {
        assert_eq!(MAX_FILE, 268_435_456);
    }

    #[test]
    fn a_file_begins_with_what_it_is() {
        assert_eq!(format(b"{\"format\":\"x\",\"y\":1}"), Some("x"));
        for other in ["{ \"format\":\"x\"}", "{\"y\":1,\"format\":\"x\"}", "{\"format\":\"x", ""] {
            assert_eq!(format(other.as_bytes()), None, "{other}");
        }
    }
}
