//! Ends and failures while bytes are in a pipe.

use super::*;
use crate::copy::pipe::CAPACITY;

#[tokio::test]
async fn a_half_close_in_a_burst_ends_that_direction_only() {
    for client_closes in [true, false] {
        let Bulk { client, backend, ended, pool } = bulk().await;
        let (mut first, mut second) = if client_closes { (client, backend) } else { (backend, client) };
        let len = 20 * MIB + 1;
        let (mut second_in, mut second_out) = second.split();
        let (sent, got) = tokio::join!(send(&mut first, len, 1), receive(&mut second_in, len));
        assert_eq!(sent, got);
        // The other direction goes on after the end of the first.
        let (sent, got) = tokio::join!(send(&mut second_out, len, 3), receive(&mut first, len));
        assert_eq!(sent, got);
        let ended = outcome(ended).await;
        let by = if client_closes { Side::Client } else { Side::Backend };
        assert_eq!((ended.by, ended.why, ended.up, ended.down), (by, Why::Eof, len as u64, len as u64));
        assert_eq!(pool.level().1, 0);
    }
}

#[tokio::test]
async fn a_sink_that_is_reset_with_bytes_in_the_pipe_resets_the_source() {
    let mut bulk = bulk().await;
    stuff(&mut bulk).await;
    bulk.backend.set_zero_linger().unwrap();
    drop(bulk.backend);
    let error = within(bulk.client.read(&mut [0])).await.expect_err("a reset, not an end of file");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let ended = outcome(bulk.ended).await;
    assert_eq!((ended.by, ended.why), (Side::Backend, Why::Failed(io::ErrorKind::ConnectionReset)));
    assert_eq!(bulk.pool.level(), (0, 0), "a pipe with foreign bytes is closed");
}

#[tokio::test]
async fn what_a_sink_took_before_it_was_reset_is_counted() {
    let (client, accepted) = tcp_pair().await;
    let (backend, dialled) = tcp_pair().await;
    [&accepted, &client, &dialled, &backend].into_iter().for_each(narrow);
    let pool = pool_of(8, Pipe::new);
    let mut bulk = start((client, backend), (accepted.into(), dialled.into()), pool);
    let sent = stuff(&mut bulk).await as u64;
    bulk.backend.set_zero_linger().unwrap();
    drop(bulk.backend);
    let ended = outcome(bulk.ended).await;
    assert!(ended.up > 0 && ended.up <= sent, "{} of {sent}", ended.up);
    assert!(sent - ended.up <= (2 * CAPACITY) as u64, "{} of {sent}", ended.up);
}

#[tokio::test]
async fn a_source_that_is_reset_while_its_bytes_are_in_a_pipe_is_noticed() {
    let mut bulk = bulk().await;
    stuff(&mut bulk).await;
    bulk.client.set_zero_linger().unwrap();
    drop(bulk.client);
    tokio::time::pause(); // the seconds until the relay looks pass at once
    let ended = outcome(bulk.ended).await;
    assert_eq!((ended.by, ended.why), (Side::Client, Why::Failed(io::ErrorKind::ConnectionReset)));
    assert_eq!(bulk.pool.level(), (0, 0), "the pipe is closed with what was in it");
    drop(bulk.backend);
}
