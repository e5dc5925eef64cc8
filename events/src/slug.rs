//! Slugs: how an organization is called in addresses. Given out once, for ever, and never changed.

use crate::id::OrganizationId;

/// Slugs no organization may take: they are, or may become, addresses of the product itself.
const RESERVED: [&str; 8] = ["new", "api", "admin", "docs", "login", "setup", "account", "verify"];

/// Why a slug cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("must be 3 to 63 characters long")]
    Length,
    #[error("may only contain lowercase letters, digits and hyphens")]
    Character,
    #[error("must not begin or end with a hyphen, nor hold two in a row")]
    Hyphen,
    #[error("is reserved")]
    Reserved,
}

pub fn check(slug: &str) -> Result<(), Invalid> {
    if !slug.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(Invalid::Character);
    }
    if !(3..=63).contains(&slug.len()) {
        return Err(Invalid::Length);
    }
    if slug.starts_with('-') || slug.ends_with('-') || slug.contains("--") {
        return Err(Invalid::Hyphen);
    }
    if RESERVED.contains(&slug) || slug.starts_with(PERSONAL_PREFIX) {
        return Err(Invalid::Reserved);
    }
    Ok(())
}

pub const PERSONAL_PREFIX: &str = "u-";

/// The slug of a personal organization: `u-` and the last twelve characters of its id.
pub fn personal(organization: OrganizationId) -> String {
    let id = organization.to_string();
    format!("{PERSONAL_PREFIX}{}", &id[id.len() - 12..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_checked() {
        let refused = [
            ("ab", Invalid::Length),
            ("Acme", Invalid::Character),
            ("-acme", Invalid::Hyphen),
            ("ac--me", Invalid::Hyphen),
            ("admin", Invalid::Reserved),
            ("u-acme", Invalid::Reserved),
        ];
        for (slug, why) in refused {
            assert_eq!(check(slug), Err(why), "{slug}");
        }
        assert_eq!(check("acme-engineering"), Ok(()));
    }
}
