//! The program as its users run it: real processes, sockets and disks, one network per test.

#![allow(clippy::unwrap_used)] // helpers outside of test functions are test code as well

mod bad_input;
mod begin;
mod bench;
mod bond;
mod cert;
mod chain;
mod consortium;
mod crowd;
mod demo;
mod disk;
mod doctor;
mod found;
mod frozen;
mod hostile;
mod key;
mod kill;
mod ls;
mod main_job;
mod motion;
mod order;
mod paid;
mod private;
mod pull;
mod range;
mod register;
mod replace;
mod several;
mod shell;
mod slow;
mod support;
mod survive;
mod wallet;
mod why;
mod wrong_way;
