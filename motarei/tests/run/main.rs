//! `motarei run` as start_server has it: signals in, an exit status out; with a docker that only looks like
//! one, and a proxy that says what a test wants.

mod stage;

use rustix::process::Signal;
use stage::{ID, Stage};

#[test]
fn the_old_one_serves_until_the_proxy_says_that_a_newer_one_does() {
    let mut stage = Stage::new();
    stage.proxy_says(
        r#"{"apps":[{"routed":"ID","containers":[{"id":"ID","created":1},{"id":"b","created":2}]}]}"#,
    );
    stage.start(&["docker", "run", "-P", "web"]);
    stage.until_known();
    assert!(stage.was_called("run --cidfile ") && stage.was_called(" --label motarei.begun="));
    stage.tell(Signal::USR1);
    stage.until_asked(3);
    stage.tell(Signal::USR1);
    stage.until_asked(3);
    assert!(stage.is_running() && !stage.was_called("stop"));
    stage.proxy_says(
        r#"{"apps":[{"routed":"b","containers":[{"id":"ID","created":1},{"id":"b","created":2}]}]}"#,
    );
    assert_eq!(stage.ended(), 0);
    assert!(stage.was_called(&format!("stop -t 10 {ID}")));
}

#[test]
fn its_lines_name_the_container_and_say_whether_it_serves() {
    for (state, said) in [("ready", "goes on serving"), ("probing", "though it is not ready")] {
        let mut stage = Stage::new();
        let ours = r#"{"apps":[{"containers":[{"id":"ID","name":"n","state":"STATE"}]}]}"#;
        stage.proxy_says(&ours.replace("STATE", state));
        stage.start(&["docker", "run", "web"]);
        stage.until_known();
        stage.tell(Signal::USR1);
        stage.until_logged(&ID[..12], said);
    }
}

#[test]
fn connections_have_the_drain_to_end() {
    let mut stage = Stage::new();
    let one = r#"{"apps":[{"routed":"b","containers":[{"id":"ID","created":1,"connections":1},{"id":"b","created":2}]}]}"#;
    stage.proxy_says(one);
    stage.start(&["docker", "run", "web"]);
    stage.until_known();
    stage.tell(Signal::USR1);
    stage.until_asked(5);
    assert!(stage.is_running() && !stage.was_called("stop"));
    stage.proxy_says(&one.replace(r#""connections":1"#, r#""connections":1,"drain":0.5"#));
    assert_eq!(stage.ended(), 0);
}

#[test]
fn a_proxy_that_is_restarted_is_waited_for() {
    let mut stage = Stage::new();
    let busy = r#"{"apps":[{"routed":"b","containers":[{"id":"ID","created":1,"connections":1},{"id":"b","created":2}]}]}"#;
    stage.proxy_says(busy);
    stage.start(&["docker", "run", "web"]);
    stage.until_known();
    stage.tell(Signal::USR1);
    stage.until_asked(2);
    stage.proxy_says("");
    stage.until_asked(3);
    stage.proxy_says(r#"{"apps":[]}"#);
    stage.until_asked(3);
    assert!(stage.is_running() && !stage.was_called("stop") && !stage.was_logged("no newer one"));
    stage.proxy_says(&busy.replace(r#""connections":1"#, r#""connections":0"#));
    assert_eq!(stage.ended(), 0);
}

#[test]
fn a_stop_goes_through_the_tool_and_is_no_failure() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut stage = Stage::new();
        stage.start(&["docker", "--debug", "container", "run", "web"]);
        stage.until_known();
        stage.tell(signal);
        assert_eq!(stage.ended(), 0);
        assert!(stage.was_called("--debug container run --cidfile "));
        assert!(stage.was_called(&format!("--debug stop -t 10 {ID}")));
    }
}

#[test]
fn a_second_stop_kills() {
    let mut stage = Stage::new();
    stage.is_deaf();
    stage.start(&["docker", "run", "web"]);
    stage.until_known();
    stage.tell(Signal::TERM);
    stage.until_called("stop");
    assert!(stage.is_running());
    stage.tell_until_called(Signal::TERM, &format!("kill {ID}"));
    assert_eq!(stage.ended(), 0);
}

#[test]
fn the_signal_that_a_whole_group_gets_and_start_server_passes_on_is_one() {
    for (first, second) in [(Signal::INT, Signal::TERM), (Signal::TERM, Signal::INT)] {
        let mut stage = Stage::new();
        stage.is_deaf();
        stage.start(&["docker", "run", "web"]);
        stage.until_known();
        stage.tell(first);
        stage.tell(second);
        stage.until_called("stop");
        // It is heard after the second one, and the kill would have been logged by then.
        stage.tell(Signal::WINCH);
        stage.until_called("got WINCH");
        assert!(stage.is_running() && !stage.was_logged("killing it"), "{second:?}");
    }
}

#[test]
fn the_applications_signals_reach_it() {
    let mut stage = Stage::new();
    stage.start(&["docker", "run", "web"]);
    stage.until_known();
    for (signal, name) in [(Signal::HUP, "got HUP"), (Signal::WINCH, "got WINCH"), (Signal::QUIT, "got QUIT")]
    {
        stage.tell(signal);
        stage.until_called(name);
    }
    assert!(stage.is_running());
    stage.tell(Signal::TERM);
    assert_eq!(stage.ended(), 0);
}

#[test]
fn the_command_is_told_when_we_are_killed() {
    let mut stage = Stage::new();
    stage.start(&["docker", "run", "web"]);
    stage.until_known();
    stage.tell(Signal::KILL);
    stage.until_called("got TERM");
    assert_eq!(stage.ended(), 128 + 9);
}

#[test]
fn the_end_of_the_command_is_ours() {
    for (command, expected) in [
        (&["docker", "run", "exits", "125"][..], 125),
        (&["docker", "run", "exits", "0"], 0),
        (&["sh", "-c", "kill -ABRT $$"], 128 + 6),
        (&["no-such-program"], 127),
        (&["/"], 126),
        (&["docker", "run", "-d", "web"], 2),
        (&["docker", "compose", "up"], 2),
        (&["sh", "-c", "exec docker run --cidfile \"$MOTAREI_CIDFILE\" exits 7"], 7),
    ] {
        let mut stage = Stage::new();
        stage.start(command);
        assert_eq!(stage.ended(), expected, "{command:?}");
    }
}
