//! Pieces on disk, and the way of files into pieces and back.
//!
//! For a provider:
//! - [`volume`]: the narrow seam under which bytes lie, on disk or in memory.
//! - [`index`]: which piece and which block lies where, durable row by row.
//! - [`store`]: drafts that become pieces, verified reads, quota. Start at [`store::Store`].
//!
//! For a client:
//! - [`import`]: a file or folder becomes a DAG; [`foreign`]: so does a CAR made elsewhere.
//! - [`source`]: a DAG becomes the byte stream of its piece.
//! - [`export`]: blocks become files and folders again.
//!
//! [`spill`] keeps what grows with a piece out of memory.

pub mod export;
pub mod foreign;
pub mod import;
pub mod index;
pub mod source;
pub mod spill;
pub mod store;
pub mod volume;
