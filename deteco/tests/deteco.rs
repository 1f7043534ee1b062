//! The tools of deteco, as programs.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

/// Nobody reads on, or there is no room: that is an error like any other, and no panic.
#[test]
fn an_output_that_cannot_be_written_is_told() {
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    for stdout in [Stdio::from(full()), Stdio::from(closed)] {
        let deteco = Command::new(env!("CARGO_BIN_EXE_deteco")).arg("nginx-conf").stdout(stdout).output();
        let ended = deteco.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.starts_with("deteco: stdout: ") && said.lines().count() == 1, "{said}");
    }
}
