//! What the document says of routes that are there twice: under the path of an organization, and
//! for the active one.

use utoipa::PartialSchema as _;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::{OpenApi, Required};

/// The path of each operation names an organization.
pub(in crate::http) fn name_organization(document: &mut OpenApi) {
    let org = ParameterBuilder::new()
        .name("org")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("id or slug"))
        .schema(Some(String::schema()))
        .build();
    for operation in operations(document) {
        operation.parameters.get_or_insert_default().insert(0, org.clone().into());
    }
}

/// Each operation is for the active organization: `listMembers` is `listActiveMembers` there.
pub(in crate::http) fn name_active(document: &mut OpenApi) {
    for id in operations(document).filter_map(|operation| operation.operation_id.as_mut()) {
        let verb = id.find(char::is_uppercase).unwrap_or(id.len());
        id.insert_str(verb, "Active");
    }
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    let of_path = document.paths.paths.values_mut().map(|item| {
        [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
    });
    of_path.flatten().flatten()
}
