//! What the programs tell a monitoring agent, moved by real traffic.

mod deteco;
