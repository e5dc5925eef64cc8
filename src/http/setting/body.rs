//! What a change of settings may say, and what is wrong with it.

use std::net::IpAddr;

use events::plan::Catalogue;
use events::setting::{Command, IpNet, Network};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::controller::Controller;
use crate::http::field::{given, present};
use crate::http::problem::{FieldError, Problem};

/// More networks than this are a firewall's business.
const MOST_NETWORKS: usize = 100;
const LONGEST_DESCRIPTION: usize = 100;
/// A hundred years.
const LONGEST_RETENTION: u32 = 36_500;

/// A field that is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsBody {
    /// Members without a second factor are kept out from their next sign-in.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    require_2fa: Option<bool>,
    /// Codes of regions; `[]` allows every region.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, example = json!(["fsn1", "nbg1"]))]
    allowed_regions: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    ip_allowlist_required: Option<bool>,
    /// At most 100 networks.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<AllowedNetwork>>)]
    ip_allowlist: Option<Vec<AllowedNetwork>>,
    /// The tier of a database for which none is asked.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "micro")]
    default_tier: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    sso_enabled: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    sso_enforced: Option<bool>,
    /// 1 to 36500; `null` for what the plan says.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, example = 365)]
    audit_retention_days: Option<Option<u32>>,
    /// Replaces all that was declared; `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Controller>)]
    controller: Option<Option<Controller>>,
    /// Do it even if it keeps the caller out.
    #[serde(default, rename = "override")]
    is_override: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowedNetwork {
    /// A network as CIDR without host bits, or one address.
    #[schema(example = "192.0.2.0/24")]
    pub(super) cidr: String,
    /// At most 100 characters.
    #[schema(example = "Office")]
    pub(super) description: Option<String>,
}

impl SettingsBody {
    /// The order that the body gives, from this address.
    pub(super) fn command(
        self,
        address: Option<IpAddr>,
        catalogue: &Catalogue,
    ) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let allowed_regions =
            self.allowed_regions.map(|named| regions(&named, catalogue, &mut errors));
        let ip_allowlist = self.ip_allowlist.map(|networks| allowlist(networks, &mut errors));
        if let Some(tier) = &self.default_tier
            && !catalogue.tiers().contains(&tier.as_str())
        {
            let detail = format!("must be one of {}", catalogue.tiers().join(", "));
            wrong("default_tier", detail, &mut errors);
        }
        if let Some(Some(days)) = self.audit_retention_days
            && !(1..=LONGEST_RETENTION).contains(&days)
        {
            let detail = format!("must be 1 to {LONGEST_RETENTION} days");
            wrong("audit_retention_days", detail, &mut errors);
        }
        if let Some(Some(controller)) = &self.controller {
            controller.check(&mut errors);
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let json =
            |controller| serde_json::to_string(&controller).expect("a declaration is always JSON");
        Ok(Command {
            require_2fa: self.require_2fa,
            allowed_regions,
            ip_allowlist_required: self.ip_allowlist_required,
            ip_allowlist,
            default_tier: self.default_tier,
            sso_enabled: self.sso_enabled,
            sso_enforced: self.sso_enforced,
            audit_retention_days: self.audit_retention_days,
            controller: self.controller.map(|declared: Option<Controller>| declared.map(json)),
            address,
            is_override: self.is_override,
        })
    }
}

fn wrong(field: impl Into<String>, detail: impl Into<String>, errors: &mut Vec<FieldError>) {
    errors.push(FieldError { field: field.into(), detail: detail.into() });
}

/// Each region once, in the catalogue's order: whoever names them in another order asks for the
/// same.
fn regions(named: &[String], catalogue: &Catalogue, errors: &mut Vec<FieldError>) -> Vec<String> {
    for (place, region) in named.iter().enumerate() {
        if !catalogue.regions.contains(region) {
            let detail = format!("must be one of {}", catalogue.regions.join(", "));
            wrong(format!("allowed_regions[{place}]"), detail, errors);
        }
    }
    catalogue.regions.iter().filter(|region| named.contains(region)).cloned().collect()
}

fn allowlist(networks: Vec<AllowedNetwork>, errors: &mut Vec<FieldError>) -> Vec<Network> {
    if networks.len() > MOST_NETWORKS {
        wrong("ip_allowlist", format!("must have {MOST_NETWORKS} entries at most"), errors);
        return Vec::new();
    }
    let mut checked: Vec<Network> = Vec::with_capacity(networks.len());
    for (place, AllowedNetwork { cidr, description }) in networks.into_iter().enumerate() {
        let description = description.filter(|text| !text.is_empty());
        let too_long = |text: &String| {
            text.chars().count() > LONGEST_DESCRIPTION || text.contains(char::is_control)
        };
        if description.as_ref().is_some_and(too_long) {
            let detail = format!("must be {LONGEST_DESCRIPTION} printable characters at most");
            wrong(format!("ip_allowlist[{place}].description"), detail, errors);
        }
        let field = || format!("ip_allowlist[{place}].cidr");
        match network(&cidr) {
            Ok(cidr) if checked.iter().any(|other| other.cidr == cidr) => {
                wrong(field(), "is there already", errors);
            }
            Ok(cidr) => checked.push(Network { cidr, description }),
            Err(detail) => wrong(field(), detail, errors),
        }
    }
    checked
}

/// Host bits are refused rather than cut off: whoever writes them may have meant the one address,
/// or another length.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => match text.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().into(),
            Err(_) => return Err("must be a network such as 192.0.2.0/24".to_owned()),
        },
    };
    if network != network.trunc() {
        return Err(format!("has host bits; the network is {}", network.trunc()));
    }
    if let IpNet::V6(v6) = network
        && v6.addr().to_ipv4_mapped().is_some()
        && v6.prefix_len() >= 96
    {
        return Err("is an IPv4 network; write it as one".to_owned());
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    #[test]
    fn networks_are_read_as_they_are_meant() {
        for (text, network) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(super::network(text), Ok(network.parse().expect("a network")), "{text}");
        }
        for text in ["", "192.0.2", "192.0.2.7/24", "192.0.2.0/33", "::ffff:192.0.2.0/120", "acme"]
        {
            assert!(super::network(text).is_err(), "{text}");
        }
    }
}
