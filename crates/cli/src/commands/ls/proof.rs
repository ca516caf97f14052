//! One proof as a line of a list: what it says, and what it is worth.

use std::path::PathBuf;

use holdfast_core::id::{NetworkId, Timestamp};
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle};
use holdfast_proofs::verdict::{Status, Verdict, judge};
use serde_json::{Value, json};

use crate::commands::verify::unreadable;
use crate::failure::Failure;
use crate::settings;

/// A proof in a list.
pub(super) struct Proof {
    path: PathBuf,
    worth: Worth,
    /// What it says itself, if it can be read.
    said: Option<Said>,
}

/// What a proof is worth.
enum Worth {
    /// It was judged.
    Judged(Status),
    /// A check failed: which, and what was found.
    Invalid { step: &'static str, found: String },
    /// Nobody said which network to trust.
    NoNetwork,
}

/// What a proof says of itself.
struct Said {
    cid: String,
    network: NetworkId,
    piece_bytes: u64,
    signed: Option<u16>,
    slots: u16,
    ends: Timestamp,
}

impl Proof {
    /// Reads a file and judges what is in it.
    ///
    /// # Errors
    /// If the file cannot be read. A file that is no proof is an invalid one.
    pub(super) fn read(path: PathBuf, trusted: Option<NetworkId>, now: Timestamp) -> Result<Self, Failure> {
        let bytes = settings::read_limited(&path, BUNDLE_BYTES_MAX)?;
        let bundle = match Bundle::from_bytes(&bytes) {
            Ok(bundle) => bundle,
            Err(error) => return Ok(Self { path, worth: worth(&unreadable(&error)), said: None }),
        };
        let worth = trusted.map_or(Worth::NoNetwork, |network| worth(&judge(&bundle, &network, now)));
        let statement = &bundle.certificate.statement;
        let said = Said {
            cid: statement.cid.to_string(),
            network: bundle.genesis.network(),
            piece_bytes: statement.piece_bytes,
            signed: bundle.certificate.claimed_signers().map(|signers| signers.count()),
            slots: statement.coding.n,
            ends: bundle.committee.end_of(statement.retain_until).unwrap_or(bundle.committee.end),
        };
        Ok(Self { path, worth, said: Some(said) })
    }

    /// Name, worth, and what it says.
    pub(super) fn row(&self) -> Vec<String> {
        let worth = match &self.worth {
            Worth::Judged(Status::Fresh) => "fresh".to_owned(),
            Worth::Judged(Status::ValidAsOf) => "valid as of its epoch".to_owned(),
            Worth::Judged(Status::Expired) => "expired".to_owned(),
            Worth::Judged(Status::Invalid) => "invalid".to_owned(),
            Worth::Invalid { step, .. } => format!("invalid: {}", step.trim_start_matches("verify.")),
            Worth::NoNetwork => "network not chosen".to_owned(),
        };
        let mut row = vec![self.path.display().to_string(), worth];
        if let Some(Said { cid, piece_bytes, signed, slots, ends, .. }) = &self.said {
            let signed = signed.map_or_else(|| "?".to_owned(), |signed| signed.to_string());
            row.extend([
                format!("{signed} of {slots} signed"),
                format!("{piece_bytes} bytes"),
                format!("until {ends}"),
                cid.clone(),
            ]);
        }
        if let Worth::Invalid { found, .. } = &self.worth {
            row.push(found.clone());
        }
        row
    }

    pub(super) fn object(&self) -> Value {
        let (status, reason, detail) = match &self.worth {
            Worth::Judged(status) => (json!(status), None, None),
            Worth::Invalid { step, found } => (json!(Status::Invalid), Some(*step), Some(found.as_str())),
            Worth::NoNetwork => (json!("network-not-chosen"), None, None),
        };
        let mut object = json!({"file": self.path, "status": status, "reason": reason, "detail": detail});
        if let Some(Said { cid, network, piece_bytes, signed, slots, ends }) = &self.said {
            object["cid"] = json!(cid);
            object["network"] = json!(network);
            object["piece_bytes"] = json!(piece_bytes);
            object["signed"] = json!(signed);
            object["slots"] = json!(slots);
            object["ends"] = json!(ends);
        }
        object
    }
}

fn worth(verdict: &Verdict) -> Worth {
    match verdict.failure() {
        Some(step) => Worth::Invalid { step: step.name, found: step.found.clone() },
        None => Worth::Judged(verdict.status),
    }
}
