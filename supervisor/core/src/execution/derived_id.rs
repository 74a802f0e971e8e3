//! Ids that follow from others: whoever computes one again comes to the same, and nobody else may give it.

use uuid::Uuid;

/// What such an id ends with.
const MARK: [u8; 6] = *b"muster";
const VERSION: u8 = 0x80;

/// The id of what has this name within that: of a tick of a schedule, of what runs an execution again.
pub fn derived_id(within: Uuid, name: &[u8]) -> Uuid {
    let mut bytes = Uuid::new_v5(&within, name).into_bytes();
    bytes[6] = (bytes[6] & 0x0f) | VERSION;
    bytes[10..].copy_from_slice(&MARK);
    Uuid::from_bytes(bytes)
}

/// True for an id that [`derived_id`] gives. Of others, which anybody may have made, it is never true.
pub fn is_derived_id(id: Uuid) -> bool {
    let bytes = id.as_bytes();
    bytes[6] & 0xf0 == VERSION && bytes[10..] == MARK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_has_the_same_id_and_it_is_known() {
        let within = Uuid::from_u128(7);
        let id = derived_id(within, b"a");
        assert_eq!(id, derived_id(within, b"a"));
        assert!(id != derived_id(within, b"b") && id != derived_id(Uuid::from_u128(8), b"a"));
        assert!(is_derived_id(id) && id.get_version_num() == 8 && id.get_variant() == uuid::Variant::RFC4122);
        for other in [Uuid::nil(), Uuid::max(), Uuid::now_v7(), Uuid::new_v5(&within, b"a")] {
            assert!(!is_derived_id(other), "{other}");
        }
    }
}
