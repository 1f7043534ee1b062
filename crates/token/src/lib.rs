//! Keys and JSON Web Tokens: load, verify, sign.
