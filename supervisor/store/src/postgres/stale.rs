//! Asking again when the schema changed under a prepared statement.
//!
//! The server tells at the first use of a plan that no longer fits. A session keeps its statements, so the answer is
//! another session: the one that failed is closed where it was lent, or forgets its statements where it was read
//! from, and the next has perhaps the same ones.

use crate::{Result, StoreError};

/// So many sessions may have the statement that no longer fits.
const SESSIONS_MAX: u32 = super::WRITERS + super::QUICK_WRITERS + super::READERS;

/// Asks, and again for as long as a plan is of an earlier schema.
pub(super) async fn again<T, F>(mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 0..SESSIONS_MAX {
        match ask().await {
            Err(StoreError::StalePlan { message, .. }) => {
                tracing::debug!(message, "the schema changed: statements are prepared anew");
            }
            answer => return answer,
        }
    }
    ask().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_stale_is_asked_again_and_nothing_else_is() {
        let stale = || StoreError::StalePlan { backend: "test", message: String::new() };
        let mut asked = 0;
        let answer = again(|| {
            asked += 1;
            std::future::ready(if asked < 3 { Err(stale()) } else { Ok(asked) })
        });
        assert_eq!(answer.await.unwrap(), 3);
        let mut asked = 0;
        let for_ever = again(|| {
            asked += 1;
            std::future::ready(Err::<(), _>(stale()))
        });
        assert!(for_ever.await.is_err());
        assert_eq!(asked, SESSIONS_MAX + 1);
        let failed = || StoreError::Failed { backend: "test", message: String::new() };
        let mut asked = 0;
        let refused = again(|| {
            asked += 1;
            std::future::ready(Err::<(), _>(failed()))
        });
        assert!(refused.await.is_err());
        assert_eq!(asked, 1);
    }
}
