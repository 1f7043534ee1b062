//! The engine's socket with somebody in between: what happens when the engine is away, or says nothing more.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::docker;
use crate::scratch::Scratch;

/// A unix socket that leads to the shared engine.
#[derive(Debug)]
pub struct Socket {
    path: String,
    state: Arc<Shared>,
    _scratch: Scratch,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many connections there have been; the next one's number.
    count: usize,
    /// Both ends of each one since the last cut.
    open: Vec<[UnixStream; 2]>,
    /// Connections from the first of these numbers to before the second carry nothing more.
    stalled: (usize, usize),
    /// New connections are closed at once.
    away: bool,
}

impl Socket {
    /// Leads to the engine until told otherwise.
    pub fn new() -> Socket {
        let scratch = Scratch::new();
        let socket = Socket { path: scratch.file("docker.sock"), state: Arc::default(), _scratch: scratch };
        socket.listen();
        socket
    }

    /// It as `--docker-host` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.path)
    }

    /// Ends all connections; new ones are carried.
    pub fn cut(&self) {
        let mut state = self.state.lock();
        for stream in state.open.drain(..).flatten() {
            let _ = stream.shutdown(Shutdown::Both); // it may have ended
        }
        state.stalled.0 = state.count;
        self.state.changed.notify_all();
    }

    /// Ends all connections and refuses new ones, as the socket of an engine that was stopped.
    pub fn stop(&self) {
        self.state.lock().away = true;
        let _ = UnixStream::connect(&self.path); // wakes accept(), which then goes
        let _ = fs::remove_file(&self.path);
        self.cut();
    }

    /// Leads to the engine again.
    pub fn start(&self) {
        self.state.lock().away = false;
        self.listen();
    }

    /// Lets what is open now fall silent, without an end; new connections are carried.
    pub fn stall(&self) {
        let mut state = self.state.lock();
        state.stalled.1 = state.count;
    }

    fn listen(&self) {
        let listener = UnixListener::bind(&self.path).expect("the scratch directory is ours");
        let state = Arc::clone(&self.state);
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if state.lock().away {
                    return;
                }
                state.carry(near);
            }
        });
    }
}

impl Default for Socket {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(self: &Arc<Self>, near: UnixStream) {
        let Ok(far) = UnixStream::connect(&docker().socket) else { return };
        let copy = |stream: &UnixStream| stream.try_clone().expect("a descriptor is left");
        let number = {
            let mut state = self.lock();
            state.open.push([copy(&near), copy(&far)]);
            state.count += 1;
            state.count - 1
        };
        for (from, to) in [(copy(&near), copy(&far)), (far, near)] {
            let ours = Arc::clone(self);
            thread::spawn(move || ours.pump(number, from, to));
        }
    }

    fn pump(&self, number: usize, mut from: UnixStream, mut to: UnixStream) {
        let mut piece = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            self.wait_while_stalled(number);
            if to.write_all(&piece[..count]).is_err() {
                break;
            }
        }
        self.wait_while_stalled(number);
        let _ = to.shutdown(Shutdown::Write); // it may have ended
    }

    fn wait_while_stalled(&self, number: usize) {
        let state = self.lock();
        let stalled = |state: &mut State| (state.stalled.0..state.stalled.1).contains(&number);
        drop(self.changed.wait_while(state, stalled).unwrap_or_else(PoisonError::into_inner));
    }
}
