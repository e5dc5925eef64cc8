//! Who is responsible for the personal data (GDPR, Article 30(1)(a)). What does not apply is declared
//! as `"none"`; what is left out is missing.

use events::declaration::{self, Content, Stated};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Written;
use crate::http::check::Checks;
use crate::http::setting::controller::{
    Contact, Declared, LONGEST_ADDRESS, LONGEST_NAME, MOST_JOINT_CONTROLLERS,
};

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControllerRecord {
    /// `controller_record`.
    #[schema(example = "controller_record", pattern = "^controller_record$")]
    kind: String,
    /// 1 to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Acme Engineering GmbH")]
    legal_name: Option<String>,
    /// 1 to 500 characters; may have several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "privacy@acme.com")]
    contact_email: Option<String>,
    /// 1 to 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    joint_controllers: Option<Declared<Vec<Contact>>>,
    /// Of a controller that is not established in the Union (Article 27).
    #[serde(skip_serializing_if = "Option::is_none")]
    representative: Option<Declared<Contact>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_protection_officer: Option<Declared<Contact>>,
    /// How many people the organization employs.
    #[serde(skip_serializing_if = "Option::is_none")]
    headcount: Option<u32>,
}

fn stated<T>(declared: Option<&Declared<T>>) -> Stated {
    match declared {
        None => Stated::Missing,
        Some(Declared::None(_)) => Stated::None,
        Some(Declared::Value(_)) => Stated::Given,
    }
}

impl Written for ControllerRecord {
    fn check(&self, checks: &mut Checks<'_>) {
        checks.text("legal_name", self.legal_name.as_deref(), LONGEST_NAME);
        checks.text("address", self.address.as_deref(), LONGEST_ADDRESS);
        checks.email("contact_email", self.contact_email.as_deref());
        let people = [
            ("representative", &self.representative),
            ("data_protection_officer", &self.data_protection_officer),
        ];
        for (field, declared) in people {
            if let Some(contact) = declared.as_ref().and_then(Declared::value) {
                contact.check(field, checks);
            }
        }
        let field = "joint_controllers";
        let Some(joint) = self.joint_controllers.as_ref().and_then(Declared::value) else { return };
        if joint.is_empty() {
            checks.wrong(field, "must name somebody, or be \"none\"");
        }
        if joint.len() > MOST_JOINT_CONTROLLERS {
            checks.wrong(field, "must have 20 entries at most");
        }
        for (place, contact) in joint.iter().take(MOST_JOINT_CONTROLLERS).enumerate() {
            contact.check(&format!("{field}[{place}]"), checks);
        }
    }

    fn content(&self) -> Content {
        Content::ControllerRecord(declaration::ControllerRecord {
            has_name: self.legal_name.is_some(),
            has_contact: self.address.is_some() || self.contact_email.is_some(),
            joint_controllers: stated(self.joint_controllers.as_ref()),
            representative: stated(self.representative.as_ref()),
            data_protection_officer: stated(self.data_protection_officer.as_ref()),
            headcount: self.headcount,
        })
    }
}
