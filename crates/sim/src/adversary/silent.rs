//! Accepts everything and never answers: only deadlines help.

use super::{Member, Talk, Trick};
use crate::links::{ConnectionId, Frame};
use crate::world::Env;

/// See the module's documentation.
pub struct Silent;

impl Trick for Silent {
    fn put(&mut self, _: &Member, _: &mut Talk, _: ConnectionId, _: &Frame, env: &mut Env<'_>) {
        env.count("silent: kept silent");
    }

    fn get(&mut self, _: &Member, _: &mut Talk, _: ConnectionId, _: &Frame, env: &mut Env<'_>) {
        env.count("silent: kept silent");
    }

    fn ask(&mut self, _: &Member, _: ConnectionId, _: &Frame, env: &mut Env<'_>) {
        env.count("silent: kept silent");
    }
}
