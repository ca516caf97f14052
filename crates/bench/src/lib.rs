//! Measures Holdfast against the unavoidable work of each operation.
//!
//! - [`link`]: TLS over plain TCP between peers, as the floors use it.

pub mod link;
