//! What the programs tell of themselves, asked as an agent and a person would.

mod deteco;
mod everything;
mod motarei;
mod packaging;
mod page;
mod sabo;
mod wsgate;
