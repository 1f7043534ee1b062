//! The real programs between real peers. One test binary; the harness is the library of this package.
