//! The program as its users run it: real processes, sockets and disks, one network per test.

#![allow(clippy::unwrap_used)] // helpers outside of test functions are test code as well

mod bad_input;
mod bench;
mod cert;
mod demo;
mod doctor;
mod found;
mod hostile;
mod ls;
mod main_job;
mod private;
mod range;
mod shell;
mod support;
mod survive;
mod why;
