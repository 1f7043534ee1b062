//! The worker's command line: which container tool it is, and where the container's id will be written. The
//! tool is also told to label the container with when its deploy began.

mod options;
mod tool;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::container::BEGUN;
use options::{GLOBAL, RUN};
pub(crate) use tool::Tool;

/// What is started, and what is known of it beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    /// The program and its arguments.
    pub(crate) argv: Vec<OsString>,
    /// What stops the container.
    pub(crate) tool: Tool,
    /// Where its id will be written.
    pub(crate) cidfile: PathBuf,
    /// It is written for certain, if a container is made: the tool itself was told to. A script may not.
    pub(crate) certain: bool,
    /// Which engine the tool was told to use.
    pub(crate) engine: Option<String>,
}

/// Why a command cannot be watched over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// Nothing is to be run.
    #[error("there is no command: write motarei run --label app=web -- docker run -P -l app=web IMAGE")]
    Empty,
    /// The tool would end at once.
    #[error("-d (--detach) ends the command at once, and start_server would start another: leave it out")]
    Detached,
    /// Its containers have names, so that no new one can run beside the old one.
    #[error(
        "compose replaces a container instead of running a new one beside it: \
         write the docker run that it stands for"
    )]
    Compose,
}

impl Launch {
    /// Reads `argv`. `private` is where the id goes if the user does not say where; `begun` is when this
    /// deploy began, by which the container is newer than those of earlier deploys.
    ///
    /// # Errors
    /// If `argv` is empty, detaches or is compose.
    pub(crate) fn read(
        argv: &[OsString],
        private: &Path,
        docker_host: Option<&str>,
        begun: SystemTime,
    ) -> Result<Self, Unfit> {
        let program = argv.first().ok_or(Unfit::Empty)?;
        let name = Path::new(program).file_name().unwrap_or(program);
        if name == "docker-compose" || name == "podman-compose" {
            return Err(Unfit::Compose);
        }
        let script = || Self {
            argv: argv.to_owned(),
            tool: Tool::default_at(docker_host),
            cidfile: private.to_owned(),
            certain: false,
            engine: None,
        };
        if name != "docker" && name != "podman" {
            return Ok(script());
        }
        let global = GLOBAL.span(&argv[1..]);
        let command = 1 + global.words;
        let word = |at: usize| argv.get(at).map(OsString::as_os_str);
        let run = command + usize::from(word(command) == Some(OsStr::new("container")));
        match word(run).and_then(OsStr::to_str) {
            Some("run") => {
                let engine = global.value_of("host").or(global.value_of("H")).or(global.value_of("url"));
                let engine = engine.map(|engine| engine.to_string_lossy().into_owned());
                Ok(Self { engine, ..Self::read_run(argv, command, run + 1, private, begun)? })
            }
            Some("compose") => Err(Unfit::Compose),
            _ => Ok(script()),
        }
    }

    /// `argv` is `PROGRAM GLOBAL… [container] run OPTION… IMAGE …`; what stops the container takes the words
    /// before `command`, and the options are those from `after_run` on.
    fn read_run(
        argv: &[OsString],
        command: usize,
        after_run: usize,
        private: &Path,
        begun: SystemTime,
    ) -> Result<Self, Unfit> {
        let options = RUN.span(&argv[after_run..]);
        if options.is_on("detach", "d") {
            return Err(Unfit::Detached);
        }
        let given = options.value_of("cidfile").map(PathBuf::from);
        let mut argv = argv.to_owned();
        let tool = Tool::new(&argv[..command]);
        argv.splice(after_run..after_run, ["--label".into(), label(begun)]);
        if given.is_none() {
            argv.splice(after_run..after_run, [OsString::from("--cidfile"), private.into()]);
        }
        Ok(Self {
            argv,
            tool,
            cidfile: given.unwrap_or_else(|| private.to_owned()),
            certain: true,
            engine: None,
        })
    }
}

/// A clock before 1970 gives a moment that nobody believes.
fn label(begun: SystemTime) -> OsString {
    let since = begun.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{BEGUN}={}", since.as_nanos()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LABEL: &str = "--label motarei.begun=7";

    fn read(line: &str) -> Result<Launch, Unfit> {
        let argv: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        Launch::read(&argv, Path::new("/p"), None, UNIX_EPOCH + Duration::from_nanos(7))
    }

    fn joined(words: &[OsString]) -> String {
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tells_the_tool_where_to_write_the_id_and_when_it_began() {
        for (line, expected) in [
            ("docker run web", "docker run --cidfile /p web"),
            ("podman run web", "podman run --cidfile /p web"),
            ("/usr/bin/docker run -P web", "/usr/bin/docker run --cidfile /p -P web"),
            ("docker container run web", "docker container run --cidfile /p web"),
            ("docker -H unix:///x run web", "docker -H unix:///x run --cidfile /p web"),
            ("docker -Hunix:///x -D run web", "docker -Hunix:///x -D run --cidfile /p web"),
            ("docker --host=run -DH run run web", "docker --host=run -DH run run --cidfile /p web"),
            ("docker --tls --config /c run web", "docker --tls --config /c run --cidfile /p web"),
            ("podman --url ssh://h -r run web", "podman --url ssh://h -r run --cidfile /p web"),
            ("docker run -e -d web", "docker run --cidfile /p -e -d web"),
            ("docker run --name --detach web", "docker run --cidfile /p --name --detach web"),
            ("docker run --detach=false -d=0 web", "docker run --cidfile /p --detach=false -d=0 web"),
            ("docker run web -d --cidfile /q", "docker run --cidfile /p web -d --cidfile /q"),
            ("docker run --rm -- web -d", "docker run --cidfile /p --rm -- web -d"),
            ("docker run", "docker run --cidfile /p"),
        ] {
            let launch = read(line).unwrap();
            let expected = expected.replacen("--cidfile /p", &format!("--cidfile /p {LABEL}"), 1);
            assert_eq!((joined(&launch.argv), launch.certain), (expected, true));
            assert_eq!(launch.cidfile, Path::new("/p"), "{line}");
        }
    }

    #[test]
    fn a_file_that_is_given_is_read() {
        for line in [
            "docker run --cidfile /q web",
            "docker run --cidfile=/q web",
            "docker run -it --rm -p 80:80 --cidfile /q web --cidfile /r",
            "docker run --init -eA=B --privileged -Pv /a:/b --cidfile=/q web",
        ] {
            let launch = read(line).unwrap();
            let expected = line.replacen("run", &format!("run {LABEL}"), 1);
            assert_eq!((joined(&launch.argv), launch.cidfile.to_str()), (expected, Some("/q")));
        }
    }

    #[test]
    fn the_tool_that_ran_it_stops_it() {
        let table = [
            ("docker -H unix:///x --tls container run web", "docker -H unix:///x --tls stop -t 10 c1"),
            ("/opt/podman --root /r run web", "/opt/podman --root /r stop -t 10 c1"),
            ("./start.sh docker run", "docker stop -t 10 c1"),
        ];
        for (line, expected) in table {
            let stop = read(line).unwrap().tool.stop("c1", Duration::from_millis(9001));
            assert_eq!(joined(&stop), expected, "{line}");
        }
        let script = ["./start.sh".into()];
        let launch = Launch::read(&script, Path::new("/p"), Some("tcp://h:1"), UNIX_EPOCH).unwrap();
        assert_eq!(joined(&launch.tool.kill("c1")), "docker -H tcp://h:1 kill c1");
    }

    #[test]
    fn the_engine_is_the_one_that_the_tool_was_told() {
        for (line, expected) in [
            ("docker run web", None),
            ("docker -H unix:///x run web", Some("unix:///x")),
            ("docker -Hunix:///x run web", Some("unix:///x")),
            ("docker --host=tcp://h:1 run web", Some("tcp://h:1")),
            ("podman --url unix:///x run web", Some("unix:///x")),
            ("docker run -h name web", None),
        ] {
            assert_eq!(read(line).unwrap().engine.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn anything_else_runs_as_it_is() {
        for line in [
            "./start.sh docker run web",
            "docker start -a web",
            "docker",
            "sudo docker run -d web",
            "nerdctl run -d x",
        ] {
            let launch = read(line).unwrap();
            assert_eq!((joined(&launch.argv).as_str(), launch.certain), (line, false));
            assert_eq!(launch.cidfile, Path::new("/p"));
        }
    }

    #[test]
    fn refuses_what_ends_at_once_and_what_has_one_name() {
        for (line, expected) in [
            ("", Unfit::Empty),
            ("docker run -d web", Unfit::Detached),
            ("docker run --detach web", Unfit::Detached),
            ("docker run --detach=true web", Unfit::Detached),
            ("docker run -itd web", Unfit::Detached),
            ("docker run -dp 80:80 web", Unfit::Detached),
            ("docker run -l a=b --rm -d=1 web", Unfit::Detached),
            ("podman container run -P -d web", Unfit::Detached),
            ("docker compose up", Unfit::Compose),
            ("docker -D compose -f x up", Unfit::Compose),
            ("docker-compose up", Unfit::Compose),
            ("/usr/bin/podman-compose up", Unfit::Compose),
        ] {
            assert_eq!(read(line), Err(expected), "{line}");
        }
    }
}
