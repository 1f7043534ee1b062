//! End-to-end tests of the real programs against real servers.
