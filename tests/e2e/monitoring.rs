//! What the programs tell of themselves, asked as an agent and a person would.

mod deteco;
mod motarei;
mod sabo;
mod wsgate;
