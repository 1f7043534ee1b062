//! WebSockets that are lost, replaced and taken over.

use super::*;
use crate::dialect2::NoResume;

/// The pair goes over to another WebSocket; the old ones are given back.
fn reconnect(client: &mut End, server: &mut End, attempt: u32) -> [WebSocket<Pipe>; 2] {
    let now = Instant::now();
    let reported = client.carrier.session().begin_upgrade();
    let received = server.carrier.session().received();
    let at_server = server.carrier.session().resume(reported, attempt, now).unwrap();
    let at_client = client.carrier.session().resumed(received, now).unwrap();
    let (a, b) = duplex(1000);
    let old = std::mem::replace(&mut client.websocket, websocket(at_client, a, Role::Client));
    [old, std::mem::replace(&mut server.websocket, websocket(at_server, b, Role::Server))]
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_is_dropped_resets_its_socket() {
    let (client, _server) = pair(1000);
    let client = client.run();
    sleep(SECOND).await;
    client.task.abort();
    assert!(client.task.await.is_err());
    assert!(client.reset.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_after_a_cut_and_delivers_meanwhile() {
    let (mut client, mut server) = pair(1000);
    let (mut up, mut down) = (vec![0; 40_000], vec![0; 30_000]);
    {
        let carrying = async {
            tokio::join!(
                client.carrier.over(&mut client.websocket),
                server.carrier.over(&mut server.websocket)
            )
        };
        let filling = async {
            let _ = tokio::join!(
                timeout(SECOND, client.far.write_all(&[1; 40_000])),
                timeout(SECOND, server.far.write_all(&[2; 30_000])),
            );
        };
        tokio::select! { _ = carrying => panic!("it is over"), () = filling => {} }
    }
    // The connection breaks: both streams are gone.
    let (a, b) = (duplex(1).0, duplex(1).0);
    client.websocket.break_with(Pipe(a, Arc::default(), Arc::default()));
    server.websocket.break_with(Pipe(b, Arc::default(), Arc::default()));
    for end in [&mut client, &mut server] {
        let turn = end.carrier.over(&mut end.websocket).await;
        assert_eq!(turn, Turn::Cut(Cut::Eof));
        assert!(end.carrier.session().expires(SECOND).is_some());
    }
    // What is held is delivered though there is no WebSocket.
    let held = server.carrier.session().received() - server.carrier.session().delivered();
    let mut meanwhile = vec![0; usize::try_from(held).unwrap() + 1000];
    assert!(held > 10_000);
    tokio::select! {
        _ = server.carrier.detached() => panic!("it is over"),
        result = server.far.read_exact(&mut meanwhile) => assert!(result.is_ok()),
    }
    reconnect(&mut client, &mut server, 1);
    let (mut client, mut server) = (client.run(), server.run());
    let rest = up.len() - meanwhile.len();
    let read = tokio::join!(server.far.read_exact(&mut up[..rest]), client.far.read_exact(&mut down));
    assert!(read.0.is_ok() && read.1.is_ok());
    assert!(up[..rest].iter().all(|byte| *byte == 1) && down.iter().all(|byte| *byte == 2));
    client.far.shutdown().await.unwrap();
    server.far.shutdown().await.unwrap();
    assert_eq!(summary(&client.ended().await), (Side::Client, Why::Eof, 40_000, 30_000));
    assert_eq!(server.ended().await.why, Why::Eof);
}

#[tokio::test(start_paused = true)]
async fn without_resume_a_cut_resets_both_sockets() {
    let (client, server) = pair_with(1024, false, settings(), settings());
    drop(client.websocket);
    let server = server.run();
    let reset = server.reset.clone();
    let (turn, end) = server.turn().await;
    assert_eq!(turn, Turn::Over(Over::Cut));
    let ended = end.carrier.ended();
    assert_eq!((ended.by, ended.why), (Side::Client, Why::Truncated));
    assert!(reset.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_failure_without_a_websocket_is_told_over_the_next() {
    let (mut client, mut server) = pair(1000);
    {
        let carrying = async {
            tokio::join!(
                client.carrier.over(&mut client.websocket),
                server.carrier.over(&mut server.websocket)
            )
        };
        assert!(timeout(SECOND, carrying).await.is_err());
    }
    for end in [&mut client, &mut server] {
        end.websocket.link().failed();
        assert_eq!(end.carrier.over(&mut end.websocket).await, Turn::Cut(Cut::Failed));
    }
    client.far.write_all(b"last words").await.unwrap();
    client.failed.store(true, Ordering::SeqCst);
    assert!(timeout(5 * SECOND, client.carrier.detached()).await.is_err(), "the peer is still to be told");
    let over = client.carrier.session().over().expect("the failure is noticed");
    assert!(matches!(over, Over::Reset(ResetCode::LOCAL, _)), "{over:?}");
    reconnect(&mut client, &mut server, 1);
    let (client, mut server) = (client.run(), server.run());
    let mut got = [0; 10];
    server.far.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"last words");
    let (here, there) = tokio::join!(client.turn(), server.turn());
    assert_eq!(here.0, Turn::Over(over));
    assert!(matches!(there.0, Turn::Over(Over::ResetByPeer(ResetCode::LOCAL, _))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_told_to_replace_its_websocket_goes_on_with_it() {
    let (client, mut server) = pair(1000);
    server.websocket.link().go_away(60);
    let (client, mut server) = (client.run(), server.run());
    let (turn, client) = client.turn().await;
    assert_eq!(turn, Turn::ToldToGo(60 * SECOND));
    server.far.write_all(&[7; 800]).await.unwrap();
    let mut client = client.run();
    client.far.read_exact(&mut [0; 800]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_on_the_old_websocket_is_read_until_the_new_one_speaks() {
    let (mut client, mut server) = pair(1000);
    {
        let carrying = async {
            tokio::join!(
                client.carrier.over(&mut client.websocket),
                server.carrier.over(&mut server.websocket)
            )
        };
        assert!(timeout(SECOND, carrying).await.is_err());
    }
    server.far.write_all(&[7; 500]).await.unwrap();
    assert!(timeout(SECOND, server.carrier.over(&mut server.websocket)).await.is_err());
    let [old, taken_over] = reconnect(&mut client, &mut server, 1);
    client.websocket = client.websocket.replacing(old);
    let mut client = client.run();
    let mut got = [0; 500];
    client.far.read_exact(&mut got).await.unwrap();
    assert_eq!(got, [7; 500], "the server has said nothing on the new one");
    let dismissed = tokio::spawn(taken_over.dismiss(close::TAKEN_OVER));
    let mut server = server.run();
    server.far.write_all(b"new").await.unwrap();
    let mut got = [0; 3];
    client.far.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"new", "what came twice is dropped");
    timeout(SECOND, dismissed).await.expect("the client has let it go").unwrap();
    assert!(!client.task.is_finished() && !server.task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn whoever_was_taken_over_hears_of_it() {
    let (client, mut server) = pair(1000);
    assert!(timeout(SECOND, server.carrier.over(&mut server.websocket)).await.is_err());
    let client = client.run();
    tokio::spawn(server.websocket.dismiss(close::TAKEN_OVER));
    let (turn, _) = client.turn().await;
    assert_eq!(turn, Turn::Cut(Cut::Closed(close::TAKEN_OVER)));
    assert_eq!(server.carrier.session().resume(0, 0, Instant::now()).err(), None::<NoResume>);
}
