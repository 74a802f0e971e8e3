//! Asking again when the schema changed under a prepared statement.
//!
//! The server tells at the first use of a plan that no longer fits. A session keeps its statements, so the answer is
//! another session: the one that failed is closed where it was lent, or forgets its statements where it was read
//! from, and the next has perhaps the same ones.

use crate::{Result, StoreError};

/// Asks, and again for as long as a plan is of an earlier schema. So many sessions may hold one that no longer fits.
pub(crate) async fn again<T, F>(plans_max: u32, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 0..plans_max {
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

    /// Asks with at most five stale plans, and gives how often was asked.
    async fn asked(answer: impl Fn(u32) -> Result<u32>) -> (Result<u32>, u32) {
        let mut asked = 0;
        let answer = again(5, || {
            asked += 1;
            std::future::ready(answer(asked))
        });
        (answer.await, asked)
    }

    #[tokio::test]
    async fn what_is_stale_is_asked_again_and_nothing_else_is() {
        let stale = || StoreError::StalePlan { backend: "test", message: String::new() };
        let (answer, times) = asked(|time| if time < 3 { Err(stale()) } else { Ok(time) }).await;
        assert_eq!((answer.unwrap(), times), (3, 3));
        let (for_ever, times) = asked(|_| Err(stale())).await;
        assert!(for_ever.is_err());
        assert_eq!(times, 6);
        let failed = || StoreError::Failed { backend: "test", message: String::new() };
        let (refused, times) = asked(|_| Err(failed())).await;
        assert!(refused.is_err());
        assert_eq!(times, 1);
    }
}
