//! Keys, read by what is in them. The label of a PEM block is not looked at: tools disagree on it,
//! and a wrong one says nothing about the key.

mod curve;
mod der;
mod error;
pub(crate) mod jwk;
mod pem;
mod private;
mod public;
mod rsa;

pub use error::{KeyError, SignError};
pub use jwk::JwkError;
pub use private::{NewKey, PrivateKey};
pub use public::{KeyKind, PublicKey};
