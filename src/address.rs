//! E-mail addresses as they are compared: trimmed, in lower case, the domain in its IDNA form.

use std::fmt;
use std::str::FromStr;

/// RFC 5321, 4.5.3.1: 64 octets, the `@`, and 255 more.
const LONGEST: usize = 320;

/// Never printed: it is personal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address, like ana@example.org")]
pub(crate) struct InvalidAddress;

impl Address {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(..)")
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        // IDNA passes over characters that mean nothing, so the text is bounded as it came
        let text = Some(text.trim()).filter(|text| text.len() <= LONGEST).ok_or(InvalidAddress)?;
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidAddress)?;
        let local = local.to_lowercase();
        let strange = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"@".contains(c);
        // RFC 5321, 4.5.3.1: 64 octets before the `@`, 255 after it
        if local.is_empty() || local.len() > 64 || local.contains(strange) {
            return Err(InvalidAddress);
        }
        let dots_misplaced = local.starts_with('.') || local.ends_with('.') || local.contains("..");
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| InvalidAddress)?;
        let (_, top) = domain.rsplit_once('.').ok_or(InvalidAddress)?;
        if dots_misplaced || top.is_empty() || domain.len() > 255 {
            return Err(InvalidAddress);
        }
        Ok(Self(format!("{local}@{domain}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> Option<String> {
        text.parse().ok().map(|address: Address| address.0)
    }

    #[test]
    fn addresses_that_mean_the_same_compare_equal() {
        assert_eq!(normal(" Ana@Example.ORG "), normal("ana@example.org"));
        assert_eq!(normal("ana@bücher.example"), normal("ana@XN--bcher-kva.example"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ana",
            "@example.org",
            "ana@",
            "ana@localhost",
            "Ana <ana@example.org>",
            "a b@example.org",
            "ana@exa mple.org",
            ".ana@example.org",
            "ana@[127.0.0.1]",
            "a@b@c.org",
        ] {
            assert_eq!(normal(text), None, "{text}");
        }
    }
}
