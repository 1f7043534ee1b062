//! Carrying bytes between two sockets, both directions, with half-close.
