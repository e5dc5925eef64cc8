//! Identifiers. Each kind is a type of its own, written as a prefix and 26 characters of base32
//! (the form TypeID defines, Crockford's alphabet in lower case).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::wire::parsed;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The value of each byte as a digit; 255 where it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut value = 0;
    while value < 32 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
};
/// 128 bits in groups of five, the first character holding only three.
pub(crate) const LENGTH: usize = 26;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is its prefix, `_` and 26 characters of base32")]
pub struct InvalidId;

/// No prefix is longer, with its `_`.
const LONGEST_PREFIX: usize = 4;

/// An identifier as text, at the end of its room: prefixes differ in length.
struct Encoded {
    room: [u8; LONGEST_PREFIX + LENGTH],
    start: usize,
}

impl Encoded {
    fn new(prefix: &'static str, id: Uuid) -> Self {
        let mut rest = id.as_u128();
        let mut room = [b'0'; LONGEST_PREFIX + LENGTH];
        let (before, digits) = room.split_at_mut(LONGEST_PREFIX);
        let start = LONGEST_PREFIX - prefix.len();
        before[start..].copy_from_slice(prefix.as_bytes());
        for place in digits.iter_mut().rev() {
            *place = ALPHABET[usize::from((rest & 31) as u8)];
            rest >>= 5;
        }
        Self { room, start }
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.room[self.start..]).expect("prefixes and the alphabet are ASCII")
    }
}

fn decode(text: &str) -> Result<Uuid, InvalidId> {
    // the first character carries three bits, so anything above '7' would not fit
    if text.len() != LENGTH || text.as_bytes()[0] > b'7' {
        return Err(InvalidId);
    }
    text.bytes()
        .try_fold(0_u128, |sum, byte| {
            let digit = DIGITS[usize::from(byte)];
            (digit < 32).then(|| (sum << 5) | u128::from(digit))
        })
        .map(Uuid::from_u128)
        .ok_or(InvalidId)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            pub const PREFIX: &'static str = concat!($prefix, "_");
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Encoded::new(Self::PREFIX, self.0).text())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                decode(text.strip_prefix(Self::PREFIX).ok_or(InvalidId)?).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(Encoded::new(Self::PREFIX, self.0).text())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(deserializer)
            }
        }
    )*};
}

ids! {
    /// An account.
    AccountId = "usr";
    /// An organization: version 5, of the log's id and the slug, or of the log's id and the account.
    OrganizationId = "org";
    /// Whose personal values something is: a person (random, through the keyring) or an
    /// organization (the same bits as its id).
    SubjectId = "sub";
    /// One account's belonging to one organization: the bits of the event that began it.
    MembershipId = "mem";
    /// An invitation to an organization.
    InvitationId = "inv";
    /// One sign-in.
    SessionId = "ses";
    /// An API token or organization key.
    TokenId = "tok";
    /// One entry of the record of processing activities.
    ActivityId = "act";
    /// A function of an organization that databases support.
    FunctionId = "fun";
    /// A declared AI system.
    AiSystemId = "ais";
    /// An incident that an organization records.
    IncidentId = "inc";
    /// A review of who has access.
    ReviewId = "rev";
    /// One restore test.
    RestoreTestId = "rst";
    /// How an organization pays.
    PaymentMethodId = "pay";
    /// An invoice: version 5, of the organization's id and the month.
    InvoiceId = "ivc";
    /// One payment of an invoice.
    PaymentId = "pmt";
    CreditNoteId = "crn";
    /// Credit that was granted.
    CreditId = "crd";
    /// A compliance packet.
    PacketId = "pkt";
    /// A project of an organization.
    ProjectId = "prj";
    /// A hostname under which a project is reached.
    DomainId = "dom";
    /// What a project keeps of the answers to one shape of query.
    CacheRuleId = "crl";
    /// A database.
    DatabaseId = "db";
    /// A role in a database, with a password.
    DatabaseUserId = "dbu";
    BackupId = "bak";
    /// A network that a database lets in.
    AllowlistRuleId = "alw";
    AlertId = "alr";
    PipelineId = "pip";
    /// A connection that a proxy holds open to a database.
    ConnectionId = "con";
    /// One event in the log.
    EventId = "evt";
    /// One order given by a caller; events, ids and salts derive from it.
    CommandId = "cmd";
}

impl OrganizationId {
    /// The subject under whose key the organization's own personal values are sealed.
    pub fn subject(self) -> SubjectId {
        SubjectId(self.0)
    }

    /// The id an organization with this slug has in this log.
    pub fn of_slug(log: Uuid, slug: &str) -> Self {
        Self(Uuid::new_v5(&log, slug.as_bytes()))
    }

    /// The id of an account's personal organization in this log.
    pub fn personal(log: Uuid, account: AccountId) -> Self {
        Self(Uuid::new_v5(&log, account.to_string().as_bytes()))
    }
}

impl InvoiceId {
    /// The id of an organization's invoice about the month that begins then.
    pub fn of(organization: OrganizationId, month: crate::time::Time) -> Self {
        Self(Uuid::new_v5(&organization.0, month.to_string().as_bytes()))
    }
}

impl EventId {
    /// The id of the `index`-th event a command writes to a stream: the same whenever the command
    /// is repeated, so that every store can tell a repeat from a second order.
    pub fn of_command(
        log: Uuid,
        command: CommandId,
        stream: &crate::stream::Stream,
        index: usize,
    ) -> Self {
        let mut hash = blake3::Hasher::new_derive_key("chancery 2026 event id");
        hash.update(log.as_bytes());
        hash.update(command.0.as_bytes());
        hash.update(&(index as u64).to_be_bytes());
        hash.update(stream.to_string().as_bytes());
        let mut bytes = [0; 16];
        hash.finalize_xof().fill(&mut bytes);
        Self(Uuid::new_v8(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the TypeID specification says, with a text of ones and zeros: 130 bits in groups of
    /// five, of which the first two are zero.
    mod said_once_more {
        const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

        pub(super) fn written(bits: u128) -> String {
            let bits = format!("{bits:0130b}");
            let groups = (0..26).map(|group| &bits[group * 5..group * 5 + 5]);
            let character = |group| {
                let digit = usize::from_str_radix(group, 2).unwrap();
                ALPHABET.chars().nth(digit).unwrap()
            };
            groups.map(character).collect()
        }

        pub(super) fn read(text: &str) -> Option<u128> {
            let digits = text.chars().map(|character| ALPHABET.find(character));
            let groups: Option<Vec<String>> =
                digits.map(|digit| digit.map(|digit| format!("{digit:05b}"))).collect();
            let bits = groups?.concat();
            let bits = bits.strip_prefix("00").filter(|_| bits.len() == 130)?;
            u128::from_str_radix(bits, 2).ok()
        }
    }

    /// Identifiers, and what is nearly one.
    fn looks_like_an_id() -> impl Strategy<Value = String> {
        let id = any::<u128>().prop_map(said_once_more::written);
        let changed = (id.clone(), 0..26_usize, any::<char>()).prop_map(|(id, place, other)| {
            let mut text: Vec<char> = id.chars().collect();
            text[place] = other;
            text.into_iter().collect()
        });
        let upper_case = id.clone().prop_map(|id| id.to_ascii_uppercase());
        prop_oneof![id, changed, upper_case, "[0-9a-z]{26}", "[0-9a-hjkmnp-tv-z]{25,27}", ".{26}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn any_id_is_written_as_the_specification_says(bits: u128) {
            let text = format!("usr_{}", said_once_more::written(bits));
            let id = AccountId(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string(), &*text);
            prop_assert_eq!(serde_json::to_value(id).unwrap(), &*text);
            prop_assert_eq!(text.parse(), Ok(id));
        }

        #[test]
        fn what_looks_like_an_id_is_one_if_the_specification_says_so(text in looks_like_an_id()) {
            let bits = said_once_more::read(&text);
            let text = format!("usr_{text}");
            let id = text.parse::<AccountId>().ok();
            prop_assert_eq!(id, bits.map(|bits| AccountId(Uuid::from_u128(bits))));
            // of two texts for one id one would be a way round whatever compares texts
            if let Some(id) = id {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn each_first_character_above_seven_and_each_capital_is_refused() {
        let id = "usr_01h2xcejqtf2nbrexx3vqjhp41";
        for first in "89abcdefghjkmnpqrstvwxyz".chars() {
            assert_eq!(
                id.replacen('0', &first.to_string(), 1).parse::<AccountId>(),
                Err(InvalidId)
            );
        }
        for last in "ABCDEFGHJKMNPQRSTVWXYZiloILO".chars() {
            let text = format!("{}{last}", &id[..id.len() - 1]);
            assert_eq!(text.parse::<AccountId>(), Err(InvalidId), "{text}");
        }
        assert_eq!(id.to_uppercase().parse::<AccountId>(), Err(InvalidId));
    }

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        for bits in [0, 1, u128::MAX, 0x0198_0001_0000_7000_8000_0000_0000_0001] {
            let id = AccountId(Uuid::from_u128(bits));
            assert_eq!(id.to_string().len(), 30);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn a_prefix_may_be_short() {
        let id = DatabaseId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
        assert_eq!(id.to_string(), "db_01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn the_form_is_that_of_typeid() {
        // the example of the TypeID specification
        let id = AccountId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
        assert_eq!(id.to_string(), "usr_01h2xcejqtf2nbrexx3vqjhp41");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "usr_",
            "usr_01h2xcejqtf2nbrexx3vqjhp4",
            "org_01h2xcejqtf2nbrexx3vqjhp41",
            "usr_81h2xcejqtf2nbrexx3vqjhp41",
            "usr_01h2xcejqtf2nbrexx3vqjhpi1",
        ] {
            assert_eq!(text.parse::<AccountId>(), Err(InvalidId), "{text}");
        }
    }
}
