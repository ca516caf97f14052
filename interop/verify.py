#!/usr/bin/env python3
"""Checks a Holdfast bundle: a second implementation, from docs/spec alone.

verify.py BUNDLE --network-id HEX [--at UNIX_SECONDS]

Exit status: 0 valid, 2 usage, 6 invalid, 10 expired.
"""

import argparse
import sys
import time
import unicodedata
from functools import lru_cache
from hashlib import sha256

import dag_cbor
from blake3 import blake3
from multiformats import CID
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import (
    compress_G1,
    compress_G2,
    decompress_G1,
    decompress_G2,
)
from py_ecc.optimized_bls12_381 import (
    FQ12,
    G2,
    Z2,
    add,
    curve_order,
    final_exponentiate,
    is_inf,
    multiply,
    neg,
    pairing,
)

FRESH, EXPIRED, INVALID = "fresh", "expired", "invalid"
EXIT = {FRESH: 0, INVALID: 6, EXPIRED: 10}

MAX_BUNDLE = 4 << 20
MAX_GENESIS = 1 << 20
MAX_PROOFS = 256 << 10
MAX_CERTIFICATE = 1024

MESSAGE_DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
POSSESSION_DST = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
AVAILABILITY_TAG = b"holdfast/availability/1"
POSSESSION_TAG = b"holdfast/pop/1"
SLOT_TAG = b"holdfast/slot/1"

# SHA-256, a digest of 32 bytes; before that version 1 and the codec, or nothing in version 0, which is dag-pb.
CID_HEADS = {b"\x12\x20"} | {bytes([1, codec, 0x12, 32]) for codec in (0x55, 0x70, 0x71)}


class Refused(Exception):
    """A rule that does not hold; the text says which."""


def need(holds, why):
    if not holds:
        raise Refused(why)


def digest(data):
    return blake3(data).digest()


# Shapes: each function takes a decoded value and refuses one of another type.


def integer(value):
    need(type(value) is int and 0 <= value < 1 << 64, "not an unsigned integer of 64 bits")
    return value


def between(least, most):
    def read(value):
        need(least <= integer(value) <= most, f"not between {least} and {most}")
        return value

    return read


BYTE, SHORT, WORD = (between(0, 2**bits - 1) for bits in (8, 16, 32))


def octets(length):
    def read(value):
        need(type(value) is bytes and len(value) == length, f"not a byte string of {length}")
        return value

    return read


def octets_up_to(length):
    def read(value):
        need(type(value) is bytes and len(value) <= length, f"not a byte string of at most {length}")
        return value

    return read


def text(value):
    need(type(value) is str and len(value.encode()) <= 64, "not a text of at most 64 bytes")
    need(all(unicodedata.category(c) != "Cc" for c in value), "a control character in a text")
    return value


def cid(value):
    need(isinstance(value, CID), "not a CID")
    need(bytes(value)[:-32] in CID_HEADS, "a CID of another kind")
    return bytes(value)


def null(value):
    need(value is None, "not null")


def optional(shape):
    return lambda value: None if value is None else shape(value)


def many(shape, least, most):
    def read(value):
        need(type(value) is list and least <= len(value) <= most, f"not a list of {least} to {most}")
        return [shape(item) for item in value]

    return read


def struct(**fields):
    def read(value):
        need(type(value) is list and len(value) == len(fields), f"not a list of {len(fields)}")
        out = {}
        for (name, shape), item in zip(fields.items(), value):
            try:
                out[name] = shape(item)
            except Refused as e:
                raise Refused(f"{name}: {e}") from None
        return out

    return read


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
GENESIS = struct(
    version=BYTE, name=text, start=integer, end=integer, profiles=PROFILES, members=MEMBERS
)
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
    committee_proof=null,
    headers=many(null, 0, 0),
    import_profile=optional(text),
)


def decode(data):
    """The value of canonical DAG-CBOR; what reads but is not written the same is refused."""
    try:
        value = dag_cbor.decode(data)
        again = dag_cbor.encode(value)
    except Exception as e:
        raise Refused(f"not DAG-CBOR ({type(e).__name__})") from None
    need(again == data, "not the canonical encoding")
    return value


# Ed25519: is this the key of somebody who can sign?

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def edwards_add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P
    return x, y


@lru_cache(maxsize=4096)
def ed25519_usable(key):
    """Canonical, on the curve, and not of small order."""
    number = int.from_bytes(key, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return False
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return False
    if x & 1 != sign:
        x = P - x
    point = (x, y)
    for _ in range(3):
        point = edwards_add(point, point)
    return point != (0, 1)


# X25519: can secrets be sealed to this key?


def x25519(scalar, u):
    """The Montgomery ladder of RFC 7748, section 5."""
    scalar = (int.from_bytes(scalar, "little") & ~7 & (1 << 255) - 1) | 1 << 254
    u = int.from_bytes(u, "little") & (1 << 255) - 1
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in range(254, -1, -1):
        swap = scalar >> bit & 1
        if swap:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, (aa - bb) * (aa + 121665 * (aa - bb)) % P
        if swap:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


@lru_cache(maxsize=4096)
def box_usable(key):
    """Canonical, and not of small order: scalars are multiples of 8, so such a key gives zero with any."""
    return int.from_bytes(key, "little") < P and x25519(bytes(32), key) != bytes(32)


# BLS12-381


def checked(point, encoded, data):
    need(encoded == data, "not the canonical encoding of its point")
    need(not is_inf(point), "the identity")
    need(is_inf(multiply(point, curve_order)), "outside the subgroup")
    return point


@lru_cache(maxsize=4096)
def bls_key(data):
    halves = int.from_bytes(data[:48], "big"), int.from_bytes(data[48:], "big")
    try:
        point = decompress_G2(halves)
    except ValueError:
        raise Refused("not a point of G2") from None
    encoded = b"".join(int(half).to_bytes(48, "big") for half in compress_G2(point))
    return checked(point, encoded, data)


@lru_cache(maxsize=4096)
def bls_signature(data):
    try:
        point = decompress_G1(int.from_bytes(data, "big"))
    except ValueError:
        raise Refused("not a point of G1") from None
    return checked(point, int(compress_G1(point)).to_bytes(48, "big"), data)


@lru_cache(maxsize=64)
def signature_half(signature):
    return pairing(G2, bls_signature(signature), False)


def signed_by(key, signature, message, dst):
    """Whether the signature over the message is that of a key, given as a point."""
    half = signature_half(signature)
    point = hash_to_G1(message, dst, sha256)
    return final_exponentiate(half * pairing(key, neg(point), False)) == FQ12.one()


@lru_cache(maxsize=4096)
def possesses(network_id, node_id, key, signature):
    """Whether a member has shown possession of its BLS key; remembered from bundle to bundle."""
    message = signing_input(POSSESSION_TAG, network_id, dag_cbor.encode([node_id, key]))
    try:
        return signed_by(bls_key(key), signature, message, POSSESSION_DST)
    except Refused:
        return False


def signing_input(tag, network_id, encoded):
    return tag + b"\0" + network_id + digest(encoded)


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
    need(genesis["version"] == 1, "version is not 1")
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


def statement_rules(statement, committee, committee_id):
    coding = statement["coding"]
    need(statement["epoch"] == committee["epoch"], "another epoch")
    need(statement["committee_id"] == committee_id, "another committee")
    need(coding["kind"] == 0, "not copies")
    need(coding["symbol_bytes"] == 0 and coding["coding_root"] is None, "copies with a coding root")
    need([coding[x] for x in "knq"] in committee["profiles"], "not a profile of the committee")
    need(statement["retain_until"] == 1, "retain until is not 1")
    need(statement["price"] == bytes(16), "a price without a ledger")
    need(statement["order"] is None, "an order without a ledger")
    name = CID.decode(statement["cid"])
    return f"{name if name.version == 0 else name.set(base='base32')}, {statement['piece_bytes']} bytes"


def quorum_rules(signers, n, q):
    need(len(signers) == (n + 7) // 8, f"a bitmap of {len(signers)} bytes for {n} slots")
    bits = int.from_bytes(signers, "little")
    need(bits >> n == 0, f"a bit beyond {n} slots")
    need(bits.bit_count() >= q, f"{bits.bit_count()} receipts, {q} needed")
    return f"{bits.bit_count()} of {n} slots, {q} needed"


def aggregate_rules(network_id, certificate, encoded, committee):
    owners = slots(certificate["statement"]["cid"], committee["members"], certificate["statement"]["coding"]["n"])
    total = Z2
    for i, member in enumerate(owners):
        if certificate["signers"][i // 8] >> i % 8 & 1:
            total = add(total, bls_key(member["bls"]))
    need(not is_inf(total), "the keys add up to the identity")
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
        for name, most in (("genesis", MAX_GENESIS), ("proofs", MAX_PROOFS), ("certificate", MAX_CERTIFICATE)):
            need(len(encoded[name]) <= most, f"{name}: more than {most} bytes")
        return "canonical"

    def network():
        found = digest(encoded["genesis"])
        need(found == network_id, f"it is {found.hex()}")
        return found.hex()

    def committee():
        record = fields["committee"]
        expected = {"network_id": network_id, "epoch": 0, "previous": None}
        expected.update((name, fields["genesis"][name]) for name in ("start", "end", "profiles", "members"))
        need(record == expected, "not the record that follows from genesis")
        return digest(encoded["committee"]).hex()

    def started():
        need(at >= fields["genesis"]["start"], f"{at} is before the start of the epoch")
        end = fields["genesis"]["end"]
        return f"{at}, the epoch ends at {end}"

    fields, encoded = {}, {}
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
        step("verify.committee", committee)
        committee_id = digest(encoded["committee"])
        step("verify.statement", lambda: statement_rules(statement, fields["committee"], committee_id))
        step("verify.quorum", lambda: quorum_rules(certificate["signers"], coding["n"], coding["q"]))
        step(
            "verify.signature",
            lambda: aggregate_rules(network_id, certificate, encoded["statement"], fields["committee"]),
        )
        step("verify.time", started)
    except Refused:
        return INVALID, steps
    return (FRESH if at < genesis["end"] else EXPIRED), steps


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
