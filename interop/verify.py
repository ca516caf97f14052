#!/usr/bin/env python3
"""Checks a Holdfast bundle: a second implementation, from docs/spec alone.

verify.py BUNDLE --network-id HEX [--at UNIX_SECONDS]

Exit status: 0 valid, 2 usage, 6 invalid, 10 expired.
"""

import argparse
import sys
import time
from functools import lru_cache

import dag_cbor
from multiformats import CID
from curves import MESSAGE_DST, POSSESSION_DST, bls_key, box_usable, ed25519_usable, signed_by, sum_of_keys
from ledger import COMMITTEE_PROOF, HANDOVERS, LEDGER, RETAIN_EPOCHS_MAX, authority_rules, final_header, row_rules
from shapes import (
    BYTE,
    SHORT,
    WORD,
    Refused,
    between,
    cid,
    decode,
    digest,
    integer,
    many,
    need,
    octets,
    octets_up_to,
    optional,
    signing_input,
    struct,
    text,
)

FRESH, VALID_AS_OF, EXPIRED, INVALID = "fresh", "valid as of", "expired", "invalid"
EXIT = {FRESH: 0, VALID_AS_OF: 0, INVALID: 6, EXPIRED: 10}

MAX_BUNDLE = 4 << 20
MAX_GENESIS = 1 << 20
MAX_PROOFS = 256 << 10
MAX_CERTIFICATE = 1024

AVAILABILITY_TAG = b"holdfast/availability/1"
POSSESSION_TAG = b"holdfast/pop/1"
SLOT_TAG = b"holdfast/slot/1"

PROFILE = many(SHORT, 3, 3)
PROFILES = many(PROFILE, 0, 16)
MEMBER = struct(
    node_id=octets(32),
    ed25519=octets(32),
    bls=octets(96),
    box=octets(32),
    operator=text,
    domain=text,
    weight=between(1, 16),
    salt=octets(32),
    peer_id=text,
)
MEMBERS = many(MEMBER, 0, 1024)
BEFORE_LEDGER = {
    "version": BYTE, "name": text, "start": integer, "end": integer, "profiles": PROFILES, "members": MEMBERS,
}


def GENESIS(value):
    """Version 2 has a seventh field."""
    if type(value) is list and value and value[0] == 2:
        return struct(**BEFORE_LEDGER, ledger=LEDGER)(value)
    return struct(**BEFORE_LEDGER)(value) | {"ledger": None}


PROOFS = struct(
    network_id=octets(32),
    proofs=many(struct(node_id=octets(32), signature=octets(48)), 0, 1024),
)
CODING = struct(
    kind=BYTE,
    k=SHORT,
    n=SHORT,
    q=SHORT,
    symbol_bytes=WORD,
    coding_root=optional(octets(32)),
)
STATEMENT = struct(
    epoch=integer,
    committee_id=octets(32),
    cid=cid,
    piece_root=octets(32),
    piece_bytes=integer,
    coding=CODING,
    retain_until=integer,
    durability=between(1, 1),
    price=octets(16),
    order=optional(octets(32)),
)
CERTIFICATE = struct(statement=STATEMENT, signers=octets_up_to(32), signature=octets(48))
COMMITTEE = struct(
    network_id=octets(32),
    epoch=integer,
    previous=optional(octets(32)),
    start=integer,
    end=integer,
    profiles=PROFILES,
    members=MEMBERS,
)
BODY = struct(
    genesis=GENESIS,
    proofs=PROOFS,
    certificate=CERTIFICATE,
    committee=COMMITTEE,
    committee_proof=optional(COMMITTEE_PROOF),
    headers=HANDOVERS,
    import_profile=optional(text),
)


@lru_cache(maxsize=4096)
def possesses(network_id, node_id, key, signature):
    """Whether a member has shown possession of its BLS key; remembered from bundle to bundle."""
    message = signing_input(POSSESSION_TAG, network_id, dag_cbor.encode([node_id, key]))
    try:
        return signed_by(bls_key(key), signature, message, POSSESSION_DST)
    except Refused:
        return False


# Slots


def slots(content, members, n):
    """The n members that keep the piece of a CID, in the order of their slots."""
    bucket = (int.from_bytes(digest(content)[:2], "big") >> 4).to_bytes(2, "big")

    def score(member):
        head = SLOT_TAG + bucket + member["salt"] + member["node_id"]
        tickets = (digest(head + v.to_bytes(2, "big"))[:8] for v in range(member["weight"]))
        return min(tickets), member["node_id"]

    taken, same_domain, same_operator = [], [], []
    operators, domains = set(), set()
    for member in sorted(members, key=score):
        if member["operator"] in operators:
            same_operator.append(member)
        elif member["domain"] in domains:
            same_domain.append(member)
        else:
            taken.append(member)
            operators.add(member["operator"])
            domains.add(member["domain"])
    return (taken + same_domain + same_operator)[:n]


# The rules of the single objects


def genesis_rules(genesis):
    members = genesis["members"]
    need(genesis["version"] == (1 if genesis["ledger"] is None else 2), "the version is unknown")
    need(genesis["end"] > genesis["start"], "the end is not after the start")
    need(genesis["profiles"], "no profile")
    for k, n, q in genesis["profiles"]:
        need(
            k == 1 and 1 <= n <= 255 and q <= n and 3 * q > 2 * n and n <= len(members),
            f"profile [{k}, {n}, {q}]",
        )
    for i, member in enumerate(members):
        who = f"member {i}"
        need(i == 0 or members[i - 1]["node_id"] < member["node_id"], f"{who}: order")
        need(member["node_id"] == digest(member["ed25519"]), f"{who}: node id")
        need(ed25519_usable(member["ed25519"]), f"{who}: Ed25519 key")
        try:
            bls_key(member["bls"])
        except Refused as e:
            raise Refused(f"{who}: BLS key: {e}") from None
        need(box_usable(member["box"]), f"{who}: box key")
        need(member["salt"] == bytes(32), f"{who}: salt")
    for field in ("node_id", "bls", "box", "peer_id"):
        need(len({m[field] for m in members}) == len(members), f"two members share a {field}")
    if genesis["ledger"] is not None:
        authority_rules(genesis)
    return f"{len(members)} members, {len(genesis['profiles'])} profiles"


def possession_rules(network_id, genesis, proofs):
    members = genesis["members"]
    need(proofs["network_id"] == network_id, "the proofs are of another network")
    need(len(proofs["proofs"]) == len(members), "not one proof per member")
    for i, (member, proof) in enumerate(zip(members, proofs["proofs"])):
        need(proof["node_id"] == member["node_id"], f"proof {i} is of another member")
        need(
            possesses(network_id, member["node_id"], member["bls"], proof["signature"]),
            f"the proof of member {i} does not verify",
        )
    return f"{len(members)} proofs"


def statement_rules(statement, committee, committee_id, ledger):
    coding = statement["coding"]
    need(statement["epoch"] == committee["epoch"], "another epoch")
    need(statement["committee_id"] == committee_id, "another committee")
    need(coding["kind"] == 0, "not copies")
    need(coding["symbol_bytes"] == 0 and coding["coding_root"] is None, "copies with a coding root")
    need([coding[x] for x in "knq"] in committee["profiles"], "not a profile of the committee")
    promised = statement["retain_until"] - committee["epoch"]
    need(1 <= promised <= (RETAIN_EPOCHS_MAX if ledger else 1), f"a promise of {promised} epochs")
    need(end_of(statement, committee) < 1 << 64, "a promise beyond all time")
    if not ledger:
        need(statement["price"] == bytes(16), "a price without a ledger")
        need(statement["order"] is None, "an order without a ledger")
    name = CID.decode(statement["cid"])
    return f"{name if name.version == 0 else name.set(base='base32')}, {statement['piece_bytes']} bytes"


def end_of(statement, committee):
    """When the promise ends, all epochs being as long as that of the committee."""
    beyond = statement["retain_until"] - committee["epoch"] - 1
    return committee["end"] + beyond * (committee["end"] - committee["start"])


def quorum_rules(signers, n, q):
    need(len(signers) == (n + 7) // 8, f"a bitmap of {len(signers)} bytes for {n} slots")
    bits = int.from_bytes(signers, "little")
    need(bits >> n == 0, f"a bit beyond {n} slots")
    need(bits.bit_count() >= q, f"{bits.bit_count()} receipts, {q} needed")
    return f"{bits.bit_count()} of {n} slots, {q} needed"


def aggregate_rules(network_id, certificate, encoded, committee):
    owners = slots(certificate["statement"]["cid"], committee["members"], certificate["statement"]["coding"]["n"])
    bits = certificate["signers"]
    total = sum_of_keys(member["bls"] for i, member in enumerate(owners) if bits[i // 8] >> i % 8 & 1)
    message = signing_input(AVAILABILITY_TAG, network_id, encoded)
    need(
        signed_by(total, certificate["signature"], message, MESSAGE_DST),
        "it is not that of the members in the slots",
    )
    return "verifies"


def check(data, network_id, at):
    """Judges the bytes of a bundle: (status, [(step, what was found, whether it holds)])."""
    steps = []

    def step(name, rule):
        try:
            steps.append((name, rule(), True))
        except Refused as e:
            steps.append((name, str(e), False))
            raise

    def shape():
        need(len(data) <= MAX_BUNDLE, "more than 4 MiB")
        need(
            len(data) >= 35 and data[0] == 0x82 and data[-34:-32] == b"\x58\x20",
            "not a list of a body and its digest",
        )

    def damaged():
        need(digest(data[1:-34]) == data[-32:], "the digest is not that of the body")
        return f"{len(data)} bytes"

    def malformed():
        value = decode(data[1:-34])
        fields.update(BODY(value))
        encoded.update(zip(fields, map(dag_cbor.encode, value)))
        encoded["statement"] = dag_cbor.encode(value[2][0])
        signed = [last for last, _ in value[5]] + ([value[4][0]] if value[4] is not None else [])
        encoded_headers.extend(dag_cbor.encode(header) for header, _ in signed)
        encoded_sets.extend(dag_cbor.encode(next_set) for _, next_set in value[5])
        for name, most in (("genesis", MAX_GENESIS), ("proofs", MAX_PROOFS), ("certificate", MAX_CERTIFICATE)):
            need(len(encoded[name]) <= most, f"{name}: more than {most} bytes")
        return "canonical"

    def network():
        found = digest(encoded["genesis"])
        need(found == network_id, f"it is {found.hex()}")
        return found.hex()

    def headers():
        proof = fields["committee_proof"]
        header, changes = final_header(network_id, genesis, fields["headers"], proof["signed"], encoded_headers, encoded_sets)
        proven.append(header)
        return f"block {header['height']} is final, {changes} changes of validators after genesis"

    def committee():
        record, proof = fields["committee"], fields["committee_proof"]
        if proof is None:
            expected = {"network_id": network_id, "epoch": 0, "previous": None}
            expected.update((name, genesis[name]) for name in ("start", "end", "profiles", "members"))
            need(record == expected, "not the record that follows from genesis")
        else:
            need(record["network_id"] == network_id, "a record of another network")
            address = bytes([6]) + record["epoch"].to_bytes(8, "big")
            row_rules(proven[0]["state"], address, digest(encoded["committee"]), proof["row"])
            for member in record["members"]:
                bls_key(member["bls"])
        return digest(encoded["committee"]).hex()

    def started():
        record = fields["committee"]
        need(at >= record["start"], f"{at} is before the start of the epoch")
        return f"{at}, the epoch ends at {record['end']}, the promise at {end_of(statement, record)}"

    fields, encoded, encoded_headers, encoded_sets, proven = {}, {}, [], [], []
    try:
        try:
            shape()
        except Refused as e:
            steps.append(("verify.damaged", str(e), False))
            raise
        step("verify.damaged", damaged)
        step("verify.malformed", malformed)
        genesis, certificate = fields["genesis"], fields["certificate"]
        statement = certificate["statement"]
        coding = statement["coding"]
        step("verify.network", network)
        step("verify.genesis", lambda: genesis_rules(genesis))
        step("verify.possession", lambda: possession_rules(network_id, genesis, fields["proofs"]))
        if fields["committee_proof"] is not None:
            step("verify.headers", headers)
        step("verify.committee", committee)
        record, committee_id = fields["committee"], digest(encoded["committee"])
        step("verify.statement", lambda: statement_rules(statement, record, committee_id, genesis["ledger"]))
        step("verify.quorum", lambda: quorum_rules(certificate["signers"], coding["n"], coding["q"]))
        step(
            "verify.signature",
            lambda: aggregate_rules(network_id, certificate, encoded["statement"], fields["committee"]),
        )
        step("verify.time", started)
    except Refused:
        return INVALID, steps
    status = FRESH if at < record["end"] else VALID_AS_OF if at < end_of(statement, record) else EXPIRED
    return status, steps


def network_id_argument(value):
    raw = bytes.fromhex(value)
    if len(raw) != 32:
        raise ValueError
    return raw


def main():
    parser = argparse.ArgumentParser(description="Checks a Holdfast bundle.")
    parser.add_argument("bundle")
    parser.add_argument("--network-id", required=True, type=network_id_argument, metavar="HEX")
    parser.add_argument("--at", type=int, metavar="UNIX_SECONDS", help="default: now")
    arguments = parser.parse_args()
    try:
        with open(arguments.bundle, "rb") as file:
            data = file.read(MAX_BUNDLE + 1)
    except OSError as e:
        parser.error(str(e))
    at = int(time.time()) if arguments.at is None else arguments.at
    status, steps = check(data, arguments.network_id, at)
    for name, found, holds in steps:
        print(f"{'ok  ' if holds else 'FAIL'}  {name:<18}  {found}")
    print(status)
    return EXIT[status]


if __name__ == "__main__":
    sys.exit(main())
