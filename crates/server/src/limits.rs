//! Bounds of the API, each with its reason.

use std::time::Duration;

use holdfast_ledger::transaction::TRANSACTION_BYTES_MAX;

/// Entries of one page that are given if nothing is asked.
pub(crate) const PAGE_DEFAULT: u32 = 64;

/// Most entries of one page: a page of the largest ones stays within a few megabytes.
pub(crate) const PAGE_MAX: u32 = 256;

/// Longest body: the longest transaction in hex, and the JSON around it.
pub(crate) const BODY_BYTES_MAX: usize = 2 * TRANSACTION_BYTES_MAX + 256;

/// Longest head of a request. Ours have a path of at most two hundred bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 16 << 10;

/// Most header fields of a request.
pub(crate) const HEADERS_MAX: usize = 64;

/// Longest row key in a path, in bytes; the longest key there is has 41.
pub(crate) const ROW_KEY_BYTES_MAX: usize = 64;

/// What the API spends on its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; those beyond are answered 503 and closed.
    pub connections_max: usize,
    /// Questions to the source at once; those beyond are answered 503.
    pub questions_max: usize,
    /// Event streams at once; those beyond are answered 503.
    pub streams_max: usize,
    /// How long a request's head may take, and how long a connection may be idle.
    pub head_window: Duration,
    /// How long a request's body may take.
    pub body_window: Duration,
    /// How long an answer may take to be made.
    pub answer_window: Duration,
    /// A reader that is behind must take [`Limits::reader_bytes_min`] in each such time.
    pub reader_window: Duration,
    /// What a reader that is behind must take in [`Limits::reader_window`].
    pub reader_bytes_min: u64,
    /// A stream on which nothing happens says so this often.
    pub heartbeat: Duration,
    /// Events that a stream reads at once, and holds for its reader.
    pub stream_page: usize,
    /// How long answers may go on after the server was told to stop.
    pub stop_window: Duration,
}

impl Default for Limits {
    /// For a node that serves its own machine and a few others.
    fn default() -> Self {
        Self {
            connections_max: 256,
            questions_max: 32, // threads that wait for one disk
            streams_max: 64,   // a quarter of the connections
            head_window: Duration::from_secs(10),
            body_window: Duration::from_secs(10),
            answer_window: Duration::from_secs(30),
            reader_window: Duration::from_secs(30),
            reader_bytes_min: 32 << 10, // about a kilobyte a second
            heartbeat: Duration::from_secs(15),
            stream_page: 64,
            stop_window: Duration::from_secs(5),
        }
    }
}
