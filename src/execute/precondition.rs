//! `If-Match`: a command that is given for one version of a resource changes no other. It is
//! compared with the folded state each time the command is decided, so that nobody comes between.

use super::Error;

/// Versions of the resource for which an order stands. A resource's version is that of the last
/// event that changed it, as its `ETag` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// It stands for every version.
    #[default]
    None,
    OneOf(Vec<u64>),
}

impl Precondition {
    /// `current` is the version of what the command would change. Where there is nothing, the
    /// command itself says so.
    pub(crate) fn check(&self, current: Option<u64>) -> Result<(), Error> {
        let holds = match (self, current) {
            (Self::None, _) | (_, None) => true,
            (Self::OneOf(versions), Some(version)) => versions.contains(&version),
        };
        if holds { Ok(()) } else { Err(Error::Stale) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_stands_for_the_versions_it_names() {
        let holds = |precondition: Precondition, current| precondition.check(current).is_ok();
        assert!(holds(Precondition::None, None) && holds(Precondition::None, Some(3)));
        let one_of = || Precondition::OneOf(vec![2, 3]);
        assert!(holds(one_of(), Some(3)) && !holds(one_of(), Some(4)) && holds(one_of(), None));
    }
}
