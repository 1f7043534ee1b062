//! What the environment says, as descriptors and names. Nothing here touches a descriptor.

use std::os::fd::RawFd;

use super::InheritError;

const STARTER: &str = "SERVER_STARTER_PORT";
const PID: &str = "LISTEN_PID";
const COUNT: &str = "LISTEN_FDS";
const NAMES: &str = "LISTEN_FDNAMES";

/// The first descriptor after stdin, stdout and stderr: SD_LISTEN_FDS_START.
const FIRST: RawFd = 3;

/// More descriptors than this are a mistake; it also bounds what a wrong number makes us allocate.
const MOST: RawFd = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) fd: RawFd,
    pub(super) name: Option<String>,
    pub(super) variable: &'static str,
}

pub(super) fn read(env: impl Fn(&str) -> Option<String>, pid: u32) -> Result<Vec<Announced>, InheritError> {
    let mut all = start_server(&env)?;
    all.extend(systemd(&env, pid)?);
    Ok(all)
}

/// `KEY=FD;KEY=FD`; a variable that is set but empty announces nothing.
fn start_server(env: impl Fn(&str) -> Option<String>) -> Result<Vec<Announced>, InheritError> {
    match env(STARTER) {
        Some(value) if !value.is_empty() => value.split(';').map(start_server_entry).collect(),
        _ => Ok(Vec::new()),
    }
}

/// Split at the last `=`, because the path of a unix socket may hold one.
fn start_server_entry(entry: &str) -> Result<Announced, InheritError> {
    match entry.rsplit_once('=') {
        None => Err(malformed(STARTER, entry, "write KEY=FD")),
        Some(("", _)) => Err(malformed(STARTER, entry, "the KEY is missing, write KEY=FD")),
        Some((key, fd)) => match number(fd) {
            Some(fd) => Ok(Announced { fd, name: Some(key.to_owned()), variable: STARTER }),
            None => Err(malformed(STARTER, entry, "no descriptor number after the last =")),
        },
    }
}

/// The variables are inherited by grandchildren too, so they count only if they name our pid.
fn systemd(env: impl Fn(&str) -> Option<String>, pid: u32) -> Result<Vec<Announced>, InheritError> {
    let Some(meant) = env(PID).filter(|value| !value.is_empty()) else { return Ok(Vec::new()) };
    match meant.parse::<u32>() {
        Err(_) => return Err(malformed(PID, &meant, "no process id")),
        Ok(meant) if meant != pid => return Ok(Vec::new()),
        Ok(_) => {}
    }
    let Some(count) = env(COUNT).filter(|value| !value.is_empty()) else { return Ok(Vec::new()) };
    let Some(count) = number(&count).filter(|count| *count <= MOST) else {
        return Err(malformed(COUNT, &count, "no number of descriptors"));
    };
    let names = names(env, count)?;
    let announced = |(fd, name)| Announced { fd, name, variable: COUNT };
    Ok((FIRST..FIRST + count).zip(names).map(announced).collect())
}

/// One name for each of `count` descriptors, or no name at all.
fn names(env: impl Fn(&str) -> Option<String>, count: RawFd) -> Result<Vec<Option<String>>, InheritError> {
    let Some(value) = env(NAMES).filter(|value| !value.is_empty()) else {
        return Ok((0..count).map(|_| None).collect());
    };
    let names: Vec<_> = value.split(':').map(|name| Some(name.to_owned())).collect();
    match usize::try_from(count) == Ok(names.len()) {
        true => Ok(names),
        false => Err(malformed(NAMES, &value, "as many names as LISTEN_FDS are needed")),
    }
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<RawFd> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn malformed(variable: &'static str, entry: &str, why: &'static str) -> InheritError {
    InheritError::Malformed { variable, entry: entry.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> Result<Vec<(RawFd, Option<String>)>, String> {
        let env = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string());
        let all = read(env, 42).map_err(|error| error.to_string())?;
        Ok(all.into_iter().map(|a| (a.fd, a.name)).collect())
    }

    fn named(fd: RawFd, name: &str) -> (RawFd, Option<String>) {
        (fd, Some(name.to_owned()))
    }

    #[test]
    fn reads_start_server() {
        let table = [
            ("", vec![]),
            ("80=3", vec![named(3, "80")]),
            ("127.0.0.1:80=7;[::1]:80=5", vec![named(7, "127.0.0.1:80"), named(5, "[::1]:80")]),
            ("/run/a=b.sock=12", vec![named(12, "/run/a=b.sock")]),
        ];
        for (value, expected) in table {
            assert_eq!(told(&[(STARTER, value)]), Ok(expected), "{value}");
        }
        assert_eq!(told(&[]), Ok(vec![]));
    }

    #[test]
    fn refuses_a_malformed_start_server() {
        let table = ["80", "80=", "=3", "80=-1", "80=+3", "80=3 ", "80=99999999999", "80=3;", ";", "80=3;x"];
        for value in table {
            let text = told(&[(STARTER, value)]).unwrap_err();
            assert!(text.starts_with("SERVER_STARTER_PORT is malformed at"), "{value}: {text}");
        }
    }

    #[test]
    fn reads_systemd() {
        let ours = (PID, "42");
        let table: [(&[(&str, &str)], _); 7] = [
            (&[(COUNT, "2")], vec![]),
            (&[(PID, "41"), (COUNT, "x")], vec![]),
            (&[ours], vec![]),
            (&[ours, (COUNT, "0")], vec![]),
            (&[ours, (COUNT, "2")], vec![(3, None), (4, None)]),
            (&[ours, (COUNT, "2"), (NAMES, "web:")], vec![named(3, "web"), named(4, "")]),
            (&[ours, (COUNT, "1"), (STARTER, "80=9")], vec![named(9, "80"), (3, None)]),
        ];
        for (variables, expected) in table {
            assert_eq!(told(variables), Ok(expected), "{variables:?}");
        }
    }

    #[test]
    fn refuses_a_malformed_systemd() {
        let ours = (PID, "42");
        let table: [(&[(&str, &str)], _); 4] = [
            (&[(PID, "x")], "LISTEN_PID"),
            (&[ours, (COUNT, "x")], "LISTEN_FDS"),
            (&[ours, (COUNT, "2147483647")], "LISTEN_FDS"),
            (&[ours, (COUNT, "2"), (NAMES, "one")], "LISTEN_FDNAMES"),
        ];
        for (variables, variable) in table {
            let text = told(variables).unwrap_err();
            assert!(text.starts_with(&format!("{variable} is malformed at")), "{text}");
        }
    }
}
