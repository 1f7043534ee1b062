//! `--dev` needs nothing: built-in destinations, a key pair of its own, and the commands to try.
