//! JSON that every reader understands in the same way: no member stands twice.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsound {
    #[error("it is no JSON: {0}")]
    NoJson(serde_json::Error),
    #[error("{0}")]
    Twice(serde_json::Error),
}

/// Reads one document; nothing may stand behind it.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Unsound> {
    let value = serde_json::from_slice(bytes).map_err(Unsound::NoJson)?;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Distinct.deserialize(&mut deserializer).map_err(Unsound::Twice)?;
    Ok(value)
}

struct Distinct;

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Distinct)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if names.contains(&name) {
                return Err(de::Error::custom(format_args!("the member {name:?} stands twice")));
            }
            names.insert(name);
            members.next_value_seed(Distinct)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_stands_once() {
        assert!(read(br#"{"a":1,"b":{"a":[null,true,1.5,"x"]}}"#).is_ok());
        for twice in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            assert!(matches!(read(twice.as_bytes()), Err(Unsound::Twice(_))), "{twice}");
        }
        let deep = "[".repeat(100_000);
        for none in ["", "{} {}", "\u{feff}{}", "{'a':1}", r#""\ud800""#, &deep] {
            assert!(matches!(read(none.as_bytes()), Err(Unsound::NoJson(_))));
        }
    }
}
