//! sshd
