//! Measures Holdfast against the unavoidable work of each operation.
//!
//! A *floor* is a small program that does only what cannot be left out (move the bytes encrypted, hash them, write
//! them durably), every stage overlapped, on the same processors and the same disk. A *figure* is what we measured,
//! beside its floor and the bound that it must keep. Floor and ours alternate, and medians are compared.
//!
//! - [`figure`]: a figure and its judgement. [`runner`]: medians of alternating runs.
//! - [`floor`]: the floors, one file per operation. Each runs as a process of its own.
//! - [`figures`]: what is measured, one file per operation.
//! - [`ground`]: folders, files of random bytes, networks and processes that a measurement needs.
//! - [`client`]: the one place that calls the client library.

pub mod client;
pub mod figure;
pub mod figures;
pub mod floor;
pub mod ground;
pub mod runner;
