//! Unix sockets on both sides.

use tokio::net::{UnixListener, UnixStream};

use crate::gateway::{Gateway, soon, tunnel};

#[tokio::test]
async fn a_tunnel_goes_from_a_unix_socket_to_a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let destination = UnixListener::bind(path("echo")).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = destination.accept().await.unwrap();
        let (mut reader, mut writer) = stream.split();
        tokio::io::copy(&mut reader, &mut writer).await
    });
    let (listen, map) = (format!("unix:{}", path("gw")), format!("echo,unix:{}\n", path("echo")));
    let gateway = path("gw");
    let running = Gateway::start_with(dir, &listen, &map, &[]).await;
    tunnel(&mut soon(UnixStream::connect(gateway)).await.unwrap(), "through files").await;
    running.stop.draining.cancel();
    soon(running.running).await.unwrap();
}
