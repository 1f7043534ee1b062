//! A side that is not read fails: nothing tells of it until it is asked.

use super::*;

#[tokio::test]
async fn a_source_that_is_reset_while_nobody_reads_it_is_noticed() {
    let Relayed { mut client, mut backend, ended, .. } = relayed().await;
    let chunk = vec![7; 64 * 1024];
    // Until all that is between it and the backend, which does not read, is full.
    while tokio::time::timeout(Duration::from_millis(300), client.write_all(&chunk)).await.is_ok() {}
    client.set_zero_linger().unwrap();
    drop(client);
    tokio::time::pause(); // the seconds until the relay looks pass at once
    let ended = outcome(ended).await;
    tokio::time::resume();
    assert_eq!((ended.by, ended.why), (Side::Client, Why::Failed(io::ErrorKind::ConnectionReset)));
    let error = loop {
        match backend.read(&mut [0; 65536]).await {
            Ok(n) => assert!(n > 0, "a truncated stream must not look complete"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_client_that_is_reset_after_its_half_close_is_not_waited_for() {
    let Relayed { mut client, mut backend, ended, .. } = relayed().await;
    client.shutdown().await.unwrap();
    assert_eq!(backend.read(&mut [0]).await.unwrap(), 0);
    client.set_zero_linger().unwrap();
    drop(client); // nobody is left to take the answer that the backend thinks about
    tokio::time::pause();
    let ended = outcome(ended).await;
    assert_eq!((ended.by, ended.why), (Side::Client, Why::Eof), "as when a write is told of it");
}
