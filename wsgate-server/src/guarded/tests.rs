//! The waits of an accepted connection, on a paused clock.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const DEADLINES: Deadlines =
    Deadlines { head: Some(Duration::from_secs(10)), write: Some(Duration::from_secs(5)) };

fn guarded() -> (Guarded, UnixStream, Progress) {
    let (near, far) = UnixStream::pair().unwrap();
    let progress = Progress::default();
    (
        Guarded::new(
            Stream::Plain(near.into()),
            progress.clone(),
            DEADLINES,
            DEADLINES.head.map(|head| Instant::now() + head),
        ),
        far,
        progress,
    )
}

async fn read(guarded: &mut Guarded) -> io::Result<usize> {
    guarded.read(&mut [0; 100]).await
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_in_is_cut_at_its_deadline() {
    let (mut guarded, mut far, _) = guarded();
    let begun = Instant::now();
    let error = loop {
        far.write_all(b"G").await.unwrap();
        read(&mut guarded).await.unwrap();
        // A second passes without another byte, or the deadline.
        match tokio::time::timeout(Duration::from_millis(990), read(&mut guarded)).await {
            Ok(result) => break result.unwrap_err(),
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(11), "it goes on for ever"),
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_its_time_and_a_kept_connection_may_idle() {
    let (mut guarded, mut far, progress) = guarded();
    far.write_all(b"GET /").await.unwrap();
    read(&mut guarded).await.unwrap();
    progress.answering();
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, read(&mut guarded)).await.is_err(), "answering has no deadline");
    progress.idle();
    let begun = Instant::now();
    let error = read(&mut guarded).await.unwrap_err();
    assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, KEEP_ALIVE));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_has_shut_down_its_half_is_answered_but_not_dialled_for() {
    let long = Duration::from_secs(60);
    for dialling in [false, true] {
        let (mut guarded, mut far, progress) = guarded();
        far.write_all(b"GET /").await.unwrap();
        read(&mut guarded).await.unwrap();
        progress.answering();
        if dialling {
            progress.dialling();
        }
        far.shutdown().await.unwrap();
        let seen = tokio::time::timeout(long, read(&mut guarded)).await;
        assert_eq!(seen.is_ok(), dialling, "the end is seen at once when it matters");
        progress.idle();
        assert_eq!(read(&mut guarded).await.unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_head_has_its_own_deadline_from_its_first_byte() {
    for ahead in [false, true] {
        let (mut guarded, mut far, progress) = guarded();
        progress.answering();
        if ahead {
            far.write_all(b"GET").await.unwrap();
            read(&mut guarded).await.unwrap();
            progress.idle();
        } else {
            progress.idle();
            let idle = Duration::from_secs(600);
            assert!(tokio::time::timeout(idle, read(&mut guarded)).await.is_err());
            far.write_all(b"GET").await.unwrap();
            read(&mut guarded).await.unwrap();
        }
        let begun = Instant::now();
        assert_eq!(read(&mut guarded).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 10, "ahead: {ahead}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_not_taken_is_given_up() {
    let (mut guarded, far, _) = guarded();
    let begun = Instant::now();
    let error = guarded.write_all(&vec![0; 8 << 20]).await.unwrap_err();
    assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 5));
    drop(far);
}
