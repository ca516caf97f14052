//! Configuration: flag, then environment, then file, then default.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use holdfast_client::network::{Network, Peers};
use holdfast_core::id::NetworkId;
use holdfast_proofs::genesis::{GENESIS_BYTES_MAX, Genesis};
use serde::Deserialize;

use crate::args::Common;
use crate::failure::{Exit, Failure};

/// The configuration file, `holdfast/config.toml` under `XDG_CONFIG_HOME`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    /// Folder of the network to use.
    network: Option<PathBuf>,
    /// Network that `verify` trusts.
    network_id: Option<NetworkId>,
}

/// A folder by the XDG base directory specification.
fn xdg(variable: &str, under_home: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(under_home)))
        .map(|folder| folder.join("holdfast"))
}

/// Where the configuration file is, or would be.
pub(crate) fn config_path() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("config.toml"))
}

/// Whether the configuration file is there, readable, and has known keys only.
pub(crate) fn check_config() -> Result<bool, Failure> {
    config_file()?;
    Ok(config_path().is_some_and(|path| path.exists()))
}

fn config_file() -> Result<ConfigFile, Failure> {
    let Some(path) = config_path() else { return Ok(ConfigFile::default()) };
    match fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map_err(|error| {
            let message = format!("{}: {}", path.display(), error.message());
            Failure::new(Exit::Usage, "config.malformed", message)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ConfigFile::default()),
        Err(error) => Err(Failure::local(format_args!("could not read {}", path.display()), &error)),
    }
}

/// Where the folder of the network started last is noted.
fn last_network_file() -> Option<PathBuf> {
    state_folder().map(|folder| folder.join("network"))
}

/// The folder of what is remembered between commands, which need not be there.
pub(crate) fn state_folder() -> Option<PathBuf> {
    xdg("XDG_STATE_HOME", ".local/state")
}

/// A folder of what must be remembered between commands, which need not be there.
fn remembered(name: &str) -> Result<PathBuf, Failure> {
    state_folder().map(|folder| folder.join(name)).ok_or_else(|| {
        let message = "no place to write down what is paid: set HOME or XDG_STATE_HOME";
        Failure::new(Exit::Usage, "order.no_folder", message)
    })
}

/// The folder of the journals of orders.
pub(crate) fn orders_folder() -> Result<PathBuf, Failure> {
    remembered("orders")
}

/// The folder of locks, one for each account that is used.
pub(crate) fn locks_folder() -> Result<PathBuf, Failure> {
    remembered("accounts")
}

/// The folder of the user's account keys, which need not be there.
pub(crate) fn keystore_folder() -> Result<PathBuf, Failure> {
    xdg("XDG_DATA_HOME", ".local/share").map(|folder| folder.join("keys")).ok_or_else(|| {
        let message = "no place for keys: set HOME or XDG_DATA_HOME";
        Failure::new(Exit::Usage, "key.no_folder", message)
    })
}

/// Notes the network started last, which commands use unless told otherwise.
pub(crate) fn remember_network(folder: &Path) -> Result<(), Failure> {
    let Some(path) = last_network_file() else { return Ok(()) };
    let write = || {
        let folder = std::path::absolute(folder)?;
        fs::create_dir_all(path.parent().expect("it lies in a folder"))?;
        fs::write(&path, folder.as_os_str().as_encoded_bytes())
    };
    write().map_err(|error| Failure::local(format_args!("could not write {}", path.display()), &error))
}

/// Forgets the network started last, if it is this one.
pub(crate) fn forget_network(folder: &Path) {
    let same = last_network().zip(std::path::absolute(folder).ok()).is_some_and(|(last, this)| last == this);
    if let (true, Some(path)) = (same, last_network_file())
        && let Err(error) = fs::remove_file(&path)
    {
        tracing::warn!(path = %path.display(), %error, "could not forget the network");
    }
}

fn last_network() -> Option<PathBuf> {
    let folder = PathBuf::from(fs::read_to_string(last_network_file()?).ok()?);
    folder.join("genesis").exists().then_some(folder) // it may have been removed since
}

/// The folder of the network to use, or `None` if none is named anywhere.
pub(crate) fn network_folder(common: &Common) -> Result<Option<PathBuf>, Failure> {
    if let Some(folder) = common.network() {
        return Ok(Some(folder.to_owned())); // flag, or environment
    }
    Ok(config_file()?.network.or_else(last_network))
}

/// Folder of the network to use.
pub(crate) fn folder(common: &Common) -> Result<PathBuf, Failure> {
    network_folder(common)?.ok_or_else(|| {
        let message = "no network chosen: start one with `holdfast net up --dir DIR`, or name one with \
                       --network DIR or HOLDFAST_NETWORK=DIR";
        Failure::new(Exit::Usage, "network.none", message)
    })
}

/// The network to use.
pub(crate) fn network(common: &Common) -> Result<Network, Failure> {
    network_in(&folder(common)?)
}

/// The network whose folder this is, with the addresses that were found out earlier.
pub(crate) fn network_in(folder: &Path) -> Result<Network, Failure> {
    let network = Network::load(folder)?;
    if let Some(path) = found_addresses(network.id()) {
        network.hear(Peers::read(&path)?);
    }
    Ok(network)
}

/// Where the addresses of a network's nodes are noted that clients found out, and its folder does not name.
fn found_addresses(network: &NetworkId) -> Option<PathBuf> {
    state_folder().map(|folder| folder.join("peers").join(format!("{network}.toml")))
}

/// Notes addresses for later commands. Without a place for them they are found out anew.
pub(crate) fn note_addresses(network: &Network) {
    let Some(path) = found_addresses(network.id()) else { return };
    let write = || {
        let folder = path.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).map_err(|error| Failure::local("could not note addresses", &error))?;
        Ok::<(), Failure>(network.peers().write(&path)?)
    };
    if let Err(failure) = write() {
        tracing::warn!(why = failure.message, "addresses are found out anew by the next command");
    }
}

/// The network id that `verify` trusts, or what to do if none is named. See [`named_id`].
pub(crate) fn trusted_id(common: &Common, given: Option<NetworkId>) -> Result<NetworkId, Failure> {
    named_id(common, given)?.ok_or_else(|| {
        let message = "whose word counts? Name the network you trust with --network-id HEX, \
                       HOLDFAST_NETWORK_ID or `network_id` in the configuration file";
        Failure::new(Exit::Usage, "verify.no_network_id", message)
    })
}

/// The network id that the user trusts, if they name one: flag or `HOLDFAST_NETWORK_ID`, then the network named by flag or
/// environment, then `network_id` of the file, then the network of the file or the one started last.
pub(crate) fn named_id(common: &Common, given: Option<NetworkId>) -> Result<Option<NetworkId>, Failure> {
    if given.is_some() {
        return Ok(given);
    }
    if common.network().is_none()
        && let Some(id) = config_file()?.network_id
    {
        return Ok(Some(id));
    }
    let Some(folder) = network_folder(common)? else { return Ok(None) };
    let path = folder.join("genesis");
    let bytes = read_limited(&path, GENESIS_BYTES_MAX).map_err(|failure| {
        let message = format!("{}; is this the folder of a network?", failure.message);
        Failure::new(Exit::Usage, "network.missing", message)
    })?;
    let genesis = Genesis::from_bytes(&bytes).map_err(|error| {
        let message = format!("genesis {} is refused: {error}", path.display());
        Failure::new(Exit::Usage, "network.genesis", message)
    })?;
    Ok(Some(genesis.network()))
}

/// Reads a file of at most `max` bytes; of a longer one, `max` + 1, so that its decoder refuses it.
pub(crate) fn read_limited(path: &Path, max: usize) -> Result<Vec<u8>, Failure> {
    use io::Read;
    let read = || {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(max as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error: io::Error| {
        let reason = if error.kind() == io::ErrorKind::NotFound { "file.missing" } else { "file.read" };
        Failure::new(Exit::of_file(&error), reason, format!("could not read {}: {error}", path.display()))
    })
}
