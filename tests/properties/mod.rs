//! What must hold for any input: small parts against oracles that try everything.

mod selector;
mod target;
