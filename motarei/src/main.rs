//! Follows Docker containers by label.
fn main() {}
