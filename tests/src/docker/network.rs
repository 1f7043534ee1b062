//! A network of a test's own.

use super::{docker, unique_name};

/// A bridge, whose addresses no other test's containers get; it is removed on drop, after its containers.
#[derive(Debug)]
pub struct Network {
    /// As `docker run --network` takes it.
    pub name: String,
}

impl Network {
    /// Makes it.
    pub fn new() -> Network {
        let (docker, name) = (docker(), unique_name());
        docker.run(&["network", "create", "--label", &docker.mark, &name]);
        Network { name }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = docker().command().args(["network", "rm", &self.name]).output();
    }
}
