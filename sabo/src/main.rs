//! A pipe with a bandwidth limit that all sabo processes of a directory share.
fn main() {}
