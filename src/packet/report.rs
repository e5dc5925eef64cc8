//! PLACEHOLDER until the rendering is merged.
use super::statement::Predicate;
pub(crate) fn html(predicate: &Predicate) -> String {
    predicate.declaration.clone()
}
pub(crate) fn pdf(predicate: &Predicate) -> Vec<u8> {
    predicate.declaration.clone().into_bytes()
}
