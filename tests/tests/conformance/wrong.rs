//! Wrong workers: each fails exactly its check, and the report says what was expected and what was seen.

use crate::kit::Kit;

