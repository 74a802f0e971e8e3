//! What a request says, where somebody waits for the answer and can mend it: a field that no request has is a mistake
//! there.

use muster_core::execution::{InvalidRequest, RequestDraft};
use muster_core::nearest::nearest;

/// What a JSON object asks for, and what is wrong with it.
pub(crate) fn strict_draft(json: &[u8]) -> Result<RequestDraft, InvalidRequest> {
    let mut draft = RequestDraft::parse(json)?;
    draft.refuse(RequestDraft::unknown_fields(json).iter().map(|name| unknown_field(name)));
    Ok(draft)
}

fn unknown_field(name: &str) -> String {
    let known = RequestDraft::field_names();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("{name}: is no field of a request; did you mean {meant}?"),
        None => format!("{name}: is no field of a request; there are {}", known.join(", ")),
    }
}
