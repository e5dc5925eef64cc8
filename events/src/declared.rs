//! What an organization's members have stated: declarations, incidents, access reviews and restore
//! tests. Kept with the organization, because who may state something and who is reviewed is decided
//! on the same state.

use std::collections::BTreeMap;

use crate::access_review::Review;
use crate::declaration::{Declaration, DeclarationId};
use crate::id::{IncidentId, RestoreTestId, ReviewId};
use crate::incident::Incident;
use crate::restore_test::RestoreTest;

#[derive(Debug, Default)]
pub struct Declared {
    pub(crate) declarations: BTreeMap<DeclarationId, Declaration>,
    pub(crate) incidents: BTreeMap<IncidentId, Incident>,
    pub(crate) reviews: BTreeMap<ReviewId, Review>,
    pub(crate) restore_tests: BTreeMap<RestoreTestId, RestoreTest>,
}

impl Declared {
    pub fn declaration(&self, id: DeclarationId) -> Option<&Declaration> {
        self.declarations.get(&id)
    }

    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id)
    }

    pub fn review(&self, id: ReviewId) -> Option<&Review> {
        self.reviews.get(&id)
    }

    pub fn restore_test(&self, id: RestoreTestId) -> Option<&RestoreTest> {
        self.restore_tests.get(&id)
    }

    pub fn declarations(&self) -> impl Iterator<Item = (DeclarationId, &Declaration)> {
        self.declarations.iter().map(|(id, it)| (*id, it))
    }

    pub fn incidents(&self) -> impl Iterator<Item = (IncidentId, &Incident)> {
        self.incidents.iter().map(|(id, it)| (*id, it))
    }

    pub fn reviews(&self) -> impl Iterator<Item = (ReviewId, &Review)> {
        self.reviews.iter().map(|(id, it)| (*id, it))
    }

    pub fn restore_tests(&self) -> impl Iterator<Item = (RestoreTestId, &RestoreTest)> {
        self.restore_tests.iter().map(|(id, it)| (*id, it))
    }
}
