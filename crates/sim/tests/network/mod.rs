//! The network of all runs: seven members, four copies, one of which may be bad.

use std::sync::OnceLock;

use holdfast_proofs::testing::TestNetwork;
use holdfast_sim::Network;

pub(crate) fn network() -> &'static Network {
    static NETWORK: OnceLock<Network> = OnceLock::new();
    NETWORK.get_or_init(|| {
        let TestNetwork { committee, secrets, .. } = TestNetwork::new(7);
        Network { committee, secrets }
    })
}
