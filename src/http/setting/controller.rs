//! Who is responsible for the personal data that an organization processes: what the record of
//! processing activities must name (GDPR, Article 30(1)(a)) and no event holds. What does not apply
//! is declared as `"none"`; what is left out has not been declared.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::http::check::Checks;
use crate::http::problem::FieldError;

pub(crate) const LONGEST_NAME: usize = 200;
pub(crate) const LONGEST_ADDRESS: usize = 500;
pub(crate) const MOST_JOINT_CONTROLLERS: usize = 20;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Controller {
    /// 1 to 200 characters.
    #[schema(example = "Acme Engineering GmbH")]
    legal_name: Option<String>,
    /// 1 to 500 characters; may have several lines.
    #[schema(example = "Hauptstraße 1, 10115 Berlin, Germany")]
    address: Option<String>,
    #[schema(example = "privacy@acme.com")]
    contact_email: Option<String>,
    /// Of a controller that is not established in the Union (Article 27).
    representative: Option<Declared<Contact>>,
    /// Data protection officer.
    dpo: Option<Declared<Contact>>,
    /// 1 to 20.
    joint_controllers: Option<Declared<Vec<Contact>>>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contact {
    /// 1 to 200 characters.
    #[schema(example = "Privacy Desk")]
    name: String,
    /// 1 to 500 characters; may have several lines.
    address: Option<String>,
    #[schema(example = "dpo@acme.com")]
    email: Option<String>,
}

/// A value, or the declaration that there is none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Declared<T> {
    None(Nobody),
    Value(T),
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Nobody {
    None,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Declared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NoneOr(PhantomData))
    }
}

/// Reads what was declared in place, so that a mistake in it is named where it is.
struct NoneOr<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NoneOr<T> {
    type Value = Declared<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or \"none\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Declared<T>, E> {
        match text {
            "none" => Ok(Declared::None(Nobody::None)),
            _ => Err(E::custom("expected a value or \"none\"")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Declared<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Declared::Value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Declared<T>, A::Error> {
        T::deserialize(SeqAccessDeserializer::new(seq)).map(Declared::Value)
    }
}

impl<T> Declared<T> {
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::None(_) => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl Controller {
    pub(super) fn check(&self, errors: &mut Vec<FieldError>) {
        let mut checks = Checks::new(errors);
        checks.text("controller.legal_name", self.legal_name.as_deref(), LONGEST_NAME);
        checks.text("controller.address", self.address.as_deref(), LONGEST_ADDRESS);
        checks.email("controller.contact_email", self.contact_email.as_deref());
        for (field, declared) in [("representative", &self.representative), ("dpo", &self.dpo)] {
            if let Some(contact) = declared.as_ref().and_then(Declared::value) {
                contact.check(&format!("controller.{field}"), &mut checks);
            }
        }
        let Some(joint) = self.joint_controllers.as_ref().and_then(Declared::value) else { return };
        let field = "controller.joint_controllers";
        if joint.is_empty() {
            checks.wrong(field, "must name somebody, or be \"none\"");
        }
        if joint.len() > MOST_JOINT_CONTROLLERS {
            checks.wrong(field, "must have 20 entries at most");
        }
        for (place, contact) in joint.iter().take(MOST_JOINT_CONTROLLERS).enumerate() {
            contact.check(&format!("{field}[{place}]"), &mut checks);
        }
    }
}

impl Contact {
    pub(crate) fn check(&self, field: &str, checks: &mut Checks<'_>) {
        let Self { name, address, email } = self;
        checks.text(&format!("{field}.name"), Some(name), LONGEST_NAME);
        checks.text(&format!("{field}.address"), address.as_deref(), LONGEST_ADDRESS);
        checks.email(&format!("{field}.email"), email.as_deref());
    }
}
