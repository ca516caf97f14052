//! `cert show`: what a certificate or proof says, for people. Nothing is believed here. And `cert merge`.

use std::fmt::Display;
use std::path::Path;

use clap::Subcommand;
use holdfast_core::explain;
use holdfast_core::id::hex;
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle};
use holdfast_proofs::certificate::Certificate;
use holdfast_proofs::genesis::Member;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_proofs::statement::Coding;
use serde_json::{Value, json};

use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

mod merge;

use merge::MergeArgs;

/// How the text form of a certificate begins.
const TEXT_PREFIX: &str = "hfc1";
/// Bytes of a signature that are shown: enough to tell two apart.
const SIGNATURE_SHOWN: usize = 8;

#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Show everything in a certificate or proof, offline and without judging it: `verify` does that
    Show {
        /// A proof that `put` wrote, or the text form of a certificate, `hfc1…`
        #[arg(value_name = "PROOF|hfc1TEXT")]
        certificate: String,
    },
    /// Let a certificate grow by late receipts, from other proofs and from slots that have not signed it yet
    Merge(MergeArgs),
}

pub(super) async fn run(command: CertCommand, common: &Common, output: &Output) -> Result<(), Failure> {
    match command {
        CertCommand::Show { certificate } => show(&certificate, output),
        CertCommand::Merge(args) => merge::run(&args, common, output).await,
    }
}

/// What the user named: the text form of a certificate, or a file with a proof.
struct Named {
    certificate: Certificate,
    bundle: Option<Bundle>,
}

impl Named {
    fn read(named: &str) -> Result<Self, Failure> {
        if named.starts_with(TEXT_PREFIX) && !Path::new(named).exists() {
            return match Certificate::from_text(named) {
                Ok(certificate) => Ok(Self { certificate, bundle: None }),
                Err(error) => Err(Failure::new(Exit::Invalid, "cert.text", explain(&error))),
            };
        }
        let bundle = read_proof(Path::new(named))?;
        Ok(Self { certificate: bundle.certificate.clone(), bundle: Some(bundle) })
    }
}

fn read_proof(path: &Path) -> Result<Bundle, Failure> {
    Bundle::from_bytes(&settings::read_limited(path, BUNDLE_BYTES_MAX)?).map_err(|error| {
        let message = format!("{} is no proof: {}", path.display(), explain(&error));
        Failure::new(Exit::Invalid, "cert.bundle", message)
    })
}

fn show(named: &str, output: &Output) -> Result<(), Failure> {
    let mut lines = Lines::default();
    let Named { certificate, bundle } = Named::read(named)?;
    let mut object = describe(&certificate, &mut lines);
    if let Some(bundle) = bundle {
        object["bundle"] = describe_bundle(&bundle, &mut lines);
    }
    lines.0.push("not judged: `holdfast verify` says whether to believe a proof".into());
    output.result(&lines.0.join("\n"), "cert-show", object);
    Ok(())
}

/// Lines for people: a name and what stands there.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, name: &str, found: impl Display) {
        self.0.push(format!("{name:15} {found}"));
    }
}

fn describe(certificate: &Certificate, lines: &mut Lines) -> Value {
    let statement = &certificate.statement;
    let coding = &statement.coding;
    let signers = certificate.claimed_signers().map(|signers| signers.iter().collect::<Vec<_>>());
    lines.add("cid", statement.cid);
    lines.add("piece root", statement.piece_root);
    lines.add("piece bytes", statement.piece_bytes);
    lines.add("epoch", statement.epoch);
    lines.add("committee", statement.committee);
    lines.add("coding", coding_words(coding));
    lines.add("retain until", format_args!("epoch {}, which is not included", statement.retain_until));
    lines.add("durability", format_args!("{} (synced before signing)", statement.durability.number()));
    lines.add("read price max", statement.read_price_max.0);
    lines.add("order", statement.order.map_or_else(|| "none".to_owned(), |order| order.to_string()));
    lines.add("signers", signer_words(signers.as_deref(), coding.n));
    let shown = hex(&certificate.signature.as_bytes()[..SIGNATURE_SHOWN]);
    lines.add("signature", format_args!("{shown}… (48 bytes, one sum for all signers)"));
    lines.add("text form", certificate.to_text());
    json!({
        "judged": false,
        "statement": {
            "epoch": statement.epoch,
            "committee": statement.committee,
            "cid": statement.cid.to_string(),
            "piece_root": statement.piece_root,
            "piece_bytes": statement.piece_bytes,
            "coding": {
                "kind": coding.kind,
                "k": coding.k,
                "n": coding.n,
                "q": coding.q,
                "symbol_bytes": coding.symbol_bytes,
                "coding_root": coding.coding_root,
                "profile": coding.profile().map(|profile| profile.name()),
            },
            "retain_until": statement.retain_until,
            "durability": statement.durability.number(),
            "read_price_max": statement.read_price_max,
            "order": statement.order,
        },
        "signers": signers,
        "signature": certificate.signature,
        "text": certificate.to_text(),
    })
}

fn coding_words(coding: &Coding) -> String {
    let Coding { kind, k, n, q, symbol_bytes, .. } = coding;
    match coding.profile() {
        Some(profile) => {
            format!("{}: {n} slots, any {k} rebuild the piece, {q} receipts certify it", profile.name())
        }
        None => format!("unknown: kind {kind}, k {k}, n {n}, q {q}, symbols of {symbol_bytes} bytes"),
    }
}

fn signer_words(signers: Option<&[u16]>, slots: u16) -> String {
    match signers {
        Some(signers) => {
            let named: Vec<_> = signers.iter().map(u16::to_string).collect();
            format!("{} of {slots} slots: {}", signers.len(), named.join(", "))
        }
        None => format!("unreadable: the bitmap does not fit {slots} slots"),
    }
}

fn describe_bundle(bundle: &Bundle, lines: &mut Lines) -> Value {
    let Bundle { genesis, certificate, committee, import_profile, .. } = bundle;
    let network = genesis.network();
    lines.add("network id", format_args!("{network} (\"{}\")", genesis.name));
    lines.add(
        "members",
        format_args!("{} in the committee of epoch {}", committee.members.len(), committee.epoch),
    );
    lines.add("epoch runs", format_args!("from {} until {}", committee.start, committee.end));
    let mut slots = Vec::new();
    for (slot, member, signed) in slot_owners(certificate, &committee.members) {
        let word = if signed { "signed" } else { "not signed" };
        let Member { node, operator, failure_domain, .. } = member;
        lines.add(
            &format!("slot {slot}"),
            format_args!("{word:10}  node {} of {operator} in {failure_domain}", node.short()),
        );
        slots.push(json!({
            "slot": slot,
            "node": node,
            "operator": operator,
            "failure_domain": failure_domain,
            "signed": signed,
        }));
    }
    let profile = import_profile.as_ref().map(|name| name.as_str());
    lines.add("import profile", profile.unwrap_or("not said"));
    json!({
        "network": network,
        "name": genesis.name,
        "epoch": committee.epoch,
        "start": committee.start,
        "end": committee.end,
        "committee": committee.id(),
        "members": committee.members.len(),
        "slots": slots,
        "import_profile": profile,
    })
}

/// Who owns the slots of the certificate's piece, by the bundle's own committee, and whether it is said to have signed.
fn slot_owners<'a>(
    certificate: &Certificate,
    members: &'a [Member],
) -> impl Iterator<Item = (u16, &'a Member, bool)> {
    let signers = certificate.claimed_signers();
    let order = slots::order(Bucket::of(&certificate.statement.cid), members);
    (0..certificate.statement.coding.n).zip(order).map(move |(slot, place)| {
        let signed = signers.as_ref().is_some_and(|signers| signers.contains(slot));
        (slot, &members[place], signed)
    })
}
