//! A program as a process, and what it uses.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Lets sh run `command`, which becomes the program itself. Its output goes nowhere.
    pub(crate) fn start(command: &str, variables: &[(&str, String)]) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec {command}")]).envs(variables.iter().cloned());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child: shell.spawn().with_context(|| format!("cannot start {command}"))? })
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// How long it has had a CPU, in user and kernel mode together.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let ticks = cpu_ticks(&self.read("stat")?).context("/proc/PID/stat is not as in proc(5)")?;
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// How much memory of it is resident, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        resident(&self.read("status")?).context("/proc/PID/status is not as in proc(5)")
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// utime and stime of `/proc/PID/stat`, fields 14 and 15. Field 2, the name, is in parentheses and may contain
/// anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut from_utime = after_name.split_ascii_whitespace().skip(11);
    let utime: u64 = from_utime.next()?.parse().ok()?;
    let stime: u64 = from_utime.next()?.parse().ok()?;
    Some(utime + stime)
}

/// VmRSS of `/proc/PID/status`, which is in KiB.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let rest = "S 1 7 7 0 -1 4194560 300 0 0 0 123 45 6 7 20 0 3 0 100 1000 200";
        for name in ["sabo", "a b) R (c", ""] {
            assert_eq!(cpu_ticks(&format!("42 ({name}) {rest}")), Some(168), "{name}");
        }
        for bad in ["", "42 (sabo", "42 (sabo) S 1 7", "42 (sabo) S 1 7 7 0 -1 4194560 300 0 0 0 x 45"] {
            assert_eq!(cpu_ticks(bad), None, "{bad}");
        }
    }

    #[test]
    fn resident_memory_is_found() {
        assert_eq!(resident("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  512 kB\n"), Some(512 * 1024));
        for bad in ["", "VmRSS:\t12", "VmHWM:\t  900 kB\n"] {
            assert_eq!(resident(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_process_is_measured_and_killed() {
        let process = Process::start("sleep $LONG", &[("LONG", "1000".into())]).unwrap();
        assert!(process.resident().unwrap() > 0);
        assert!(process.cpu().unwrap() < Duration::from_secs(1));
        let stat = format!("/proc/{}/stat", process.child.id());
        drop(process);
        assert!(!std::path::Path::new(&stat).exists());
    }
}
