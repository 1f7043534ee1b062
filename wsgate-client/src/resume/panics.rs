//! Surviving a panic for as long as it takes to say goodbye.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::thread;

/// What `future` gives, or what it panicked with. What it worked on may be half changed then.
pub(super) fn caught<T>(
    mut future: Pin<&mut impl Future<Output = T>>,
) -> impl Future<Output = thread::Result<T>> {
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    #[tokio::test]
    async fn a_panic_is_caught_wherever_it_happens() {
        assert_eq!(caught(pin!(async { 1 })).await.unwrap(), 1);
        let late = pin!(async {
            tokio::task::yield_now().await;
            panic!("late");
        });
        assert_eq!(caught(late).await.unwrap_err().downcast_ref(), Some(&"late"));
    }
}
