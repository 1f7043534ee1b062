//! A pseudoterminal: what a program shows there, and what is typed.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// Both ends of it. What programs write is collected; it ends when the last of them has closed it.
#[derive(Debug)]
pub struct Terminal {
    /// The user's end.
    pub keyboard: File,
    shown: Arc<Mutex<Vec<u8>>>,
    slave: OwnedFd,
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Terminal {
    /// Opens one of 120 columns and 40 lines that echoes and changes nothing.
    ///
    /// # Panics
    /// When the system has none left.
    pub fn new() -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master = master.expect("a pseudoterminal is left");
        grantpt(&master).expect("a new pseudoterminal is ours");
        unlockpt(&master).expect("a new pseudoterminal is ours");
        let name = ptsname(&master, Vec::new()).expect("a pseudoterminal has a name");
        let slave = open(std::ffi::OsStr::from_bytes(name.as_bytes()).as_ref());
        tcsetwinsize(&slave, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 })
            .expect("a terminal has a size");
        let mut mode = tcgetattr(&slave).expect("a terminal has modes");
        mode.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &mode).expect("a terminal has modes");
        let keyboard = File::from(master);
        let shown = collect(keyboard.try_clone().expect("a descriptor is left"));
        Terminal { keyboard, shown, slave }
    }

    /// The program's end, for its stdin, stdout or stderr.
    ///
    /// # Panics
    /// When no descriptor is left.
    pub fn end(&self) -> OwnedFd {
        self.slave.try_clone().expect("a descriptor is left")
    }

    /// Lines are edited, and ^D at the beginning of one ends the input.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn edit_lines(&self) {
        use rustix::termios::LocalModes;
        let mut mode = tcgetattr(&self.slave).expect("a terminal has modes");
        mode.local_modes |= LocalModes::ICANON;
        mode.special_codes[rustix::termios::SpecialCodeIndex::VEOF] = 4;
        tcsetattr(&self.slave, OptionalActions::Now, &mode).expect("a terminal has modes");
    }

    /// The bytes that were shown so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text that was shown so far, with its control sequences.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// Opens the program's end; it does not become the terminal that controls this process.
fn open(name: &Path) -> OwnedFd {
    let flags = i32::try_from((OFlags::NOCTTY | OFlags::CLOEXEC).bits()).expect("flags are few");
    let slave = OpenOptions::new().read(true).write(true).custom_flags(flags).open(name);
    OwnedFd::from(slave.expect("it was just made"))
}

fn collect(mut master: File) -> Arc<Mutex<Vec<u8>>> {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let ours = Arc::clone(&shown);
    thread::spawn(move || {
        let mut piece = [0; 16 * 1024];
        while let Ok(count @ 1..) = master.read(&mut piece) {
            ours.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..count]);
        }
    });
    shown
}
