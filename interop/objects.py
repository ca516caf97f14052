"""The ledger's objects, written from docs/spec/ledger.md alone, each field with its name."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import dag_cbor
from blake3 import blake3
from multiformats import CID

CRATES = Path(__file__).resolve().parent.parent / "crates"


@dataclass
class Amount:
    units: int


@dataclass
class Struct:
    """A list of named fields."""

    fields: dict


@dataclass
class Variant:
    """A number, and what it selects."""

    number: int
    name: str
    body: object


def struct(**fields):
    return Struct({name.replace("_", " "): value for name, value in fields.items()})


def fill(number, length=32):
    return bytes([number]) * length


def digest(data):
    return blake3(data).digest()


def keyed(key, data):
    return blake3(data, key=key.encode().ljust(32, b"\0")).digest()


def plain(value):
    """The value as DAG-CBOR knows it."""
    match value:
        case Amount(units):
            return units.to_bytes(16, "big")
        case Struct(fields):
            return [plain(field) for field in fields.values()]
        case Variant(number, _, body):
            return [number, plain(body)]
        case list():
            return [plain(item) for item in value]
    return value


def encode(value):
    return dag_cbor.encode(plain(value))


def list_head(count):
    whole = dag_cbor.encode([None] * count)
    return whole[: len(whole) - count]


def parts(what, value):
    """Every piece of the encoding under a label: (label, bytes)."""
    match value:
        case Amount(units):
            yield f"{what}: amount {units}", encode(value)
        case Struct(fields):
            yield f"{what}: list of {len(fields)}", list_head(len(fields))
            for name, field in fields.items():
                yield from parts(f"{what}: {name}", field)
        case Variant(number, name, body):
            yield f"{what}: list of 2", list_head(2)
            yield f"{what}: number {number}, {name}", encode(number)
            yield from parts(f"{what}: {name}", body)
        case list():
            yield f"{what}: list of {len(value)}", list_head(len(value))
            for place, item in enumerate(value):
                yield from parts(f"{what} {place}", item)
        case bytes():
            yield f"{what}: {len(value)} bytes", encode(value)
        case str():
            yield f'{what} "{value}"', encode(value)
        case CID():
            yield f"{what}: {value.set(base='base32')}", encode(value)
        case _:
            yield f"{what} {json.dumps(value)}", encode(value)


# Objects

RAW = CID("base32", 1, "raw", ("sha2-256", sha256(b"hold fast").digest()))
COPY4 = struct(k=1, n=4, q=3)


def vote(block):
    return struct(height=258, round=3, step=2, block=block)


def statement(root):
    coding = struct(kind=0, k=1, n=4, q=3, symbol_bytes=0, coding_root=None)
    return struct(
        epoch=7, committee=fill(1), cid=RAW, piece_root=fill(root), piece_bytes=12345, coding=coding,
        retain_until=9, durability=1, read_price=Amount(0), order=fill(5),
    )


def pair(one, other):
    return [struct(object=one, signature=fill(6, 48)), struct(object=other, signature=fill(7, 48))]


def certificate():
    """The golden one, whose fields are named in certificate.md."""
    golden = json.loads((CRATES / "proofs" / "testdata" / "certificate.json").read_text())
    said, signers, signature = dag_cbor.decode(bytes.fromhex("".join(x["bytes"] for x in golden["parts"])))
    names = statement(0).fields
    fields = dict(zip(names, said))
    fields["coding"] = Struct(dict(zip(names["coding"].fields, said[5])))
    return struct(statement=Struct(fields), signers=signers, signature=signature)


PARAMS = struct(
    flat_fee=Amount(1000), byte_fee=Amount(2), price=Amount(3), least_bond=Amount(4), unbond_epochs=21,
    evidence_epochs=14, slash_percent=50, profiles=[COPY4, struct(k=1, n=255, q=171)],
)
REGISTRATION = struct(
    owner=fill(3), roles=3, ed25519_key=fill(4), BLS_key=fill(5, 96), box_key=fill(6), operator="hold",
    failure_domain="fast", weight=16, peer_id="12D3",
)
ACTIONS = {
    "parameters": Variant(1, "parameters", PARAMS),
    "authority": Variant(2, "authority", struct(node=fill(1), weight=16)),
    "no authority": Variant(2, "authority", struct(node=fill(1), weight=None)),
    "allow": Variant(3, "allow", struct(measurement=fill(2, 48), **{"from": 3}, until=300)),
    "allow for good": Variant(3, "allow", struct(measurement=fill(2, 48), **{"from": 3}, until=None)),
    "revoke": Variant(4, "revoke", fill(2, 48)),
}
OFFENCES = {
    "votes": Variant(1, "votes", pair(vote(fill(8)), vote(None))),
    "statements": Variant(2, "statements", pair(statement(3), statement(4))),
}
PAYLOADS = {
    "1 transfer": struct(to=fill(2), amount=Amount(258)),
    "2 register": struct(registration=REGISTRATION, possession=fill(7, 48), consent=fill(8, 64)),
    "3 update": struct(node=fill(1), operator="hold", failure_domain="fast", weight=2, serve=True),
    "4 report dead": struct(by=fill(1), node=fill(2), epoch=7),
    "5 lock": struct(node=fill(1), amount=Amount(2**128 - 1)),
    "6 unlock": struct(node=fill(1), amount=Amount(1)),
    "7 withdraw": struct(node=fill(1)),
    "8 accuse (votes)": struct(node=fill(1), offence=OFFENCES["votes"]),
    "8 accuse (statements)": struct(node=fill(1), offence=OFFENCES["statements"]),
    "9 order": struct(cid=RAW, piece_bytes=12345, profile=COPY4, epochs=3660, price_limit=Amount(3)),
    "10 activate": struct(order=fill(5), certificate=certificate()),
    "11 renew": struct(order=fill(5), epochs=1, price_limit=Amount(3)),
    "12 cancel": struct(order=fill(5)),
    "13 claim": struct(order=fill(5)),
} | {f"14 support ({name})": struct(by=fill(1), action=action) for name, action in ACTIONS.items()}


def payload(name):
    number, rest = name.split(" ", 1)
    return Variant(int(number), rest.split(" (")[0], PAYLOADS[name])


def body(name):
    return struct(sender=fill(1), nonce=7, fee=Amount(1000), valid_until=100, payload=payload(name))


TRANSACTION = struct(body=body("1 transfer"), signature=fill(9, 64))
HEADER = struct(
    height=258, parent=fill(1), time=1_700_000_000_000, round=2, proposer=fill(2), seal=fill(3, 48),
    validators=fill(4), next_validators=fill(5), transactions=fill(6), receipts=fill(7), state=fill(8),
)
SET = [struct(node=fill(n), BLS_key=fill(n + 8, 96), weight=weight) for n, weight in ((1, 1), (2, 2), (3, 16), (9, 1))]
VALIDATORS = struct(validators=SET)
FINALITY = struct(round=3, signers=bytes([0b1011]), signature=fill(7, 48))
SIGNED = struct(header=HEADER, finality=FINALITY)
CONTENTS = struct(
    parameters=PARAMS,
    owners=[struct(node=fill(1), owner=fill(2)), struct(node=fill(3), owner=fill(2))],
    allotments=[struct(account=fill(2), amount=Amount(10**18)), struct(account=fill(4), amount=Amount(1))],
)
EVENTS = {
    "1 transferred": struct(**{"from": fill(1)}, to=fill(2), amount=Amount(3)),
    "2 rewarded": struct(to=fill(1), issued=Amount(40 * 10**18), fees=Amount(1000)),
    "3 node": struct(node=fill(1), status=2),
    "4 bond": struct(node=fill(1), bonded=Amount(7)),
    "5 expelled": struct(node=fill(1), taken=Amount(100), burned=Amount(90)),
    "6 order": struct(order=fill(5), until=9, escrow=Amount(77)),
    "7 kept": struct(order=fill(5), cid=RAW, signers=3, promised_until=9),
    "8 paid": struct(order=fill(5), to=fill(2), amount=Amount(11)),
    "9 ended": struct(order=fill(5), refunded=Amount(0)),
    "10 motion": struct(motion=fill(6)),
    "11 epoch": struct(epoch=8, committee=fill(7), first_block=300, members=4),
}


def event(name):
    number, rest = name.split(" ", 1)
    return Variant(int(number), rest, EVENTS[name])


def receipt(number, failure, events):
    return struct(transaction=fill(number), failure=failure, events=[event(name) for name in events])


RECEIPTS = struct(
    transactions=[receipt(1, None, list(EVENTS)[2:]), receipt(2, 17, []), receipt(3, None, ["1 transferred"])],
    events=[event("2 rewarded"), event("11 epoch")],
)
MEMBER = struct(
    node_id=fill(1), ed25519_key=fill(4), BLS_key=fill(5, 96), box_key=fill(6), operator="hold",
    failure_domain="fast", weight=16, salt=fill(7), peer_id="12D3",
)


def order(ends, active):
    return struct(
        owner=fill(3), cid=RAW, piece_bytes=12345, profile=COPY4, price=Amount(3), until=9, escrow=Amount(444),
        ends=ends, active=active,
    )


ROWS = {
    "account": struct(balance=Amount(10**18), nonce=7),
    "supply": struct(issued=Amount(10**18), burned=Amount(1)),
    "parameters": PARAMS,
    "node": struct(
        owner=fill(3), roles=1, status=5, since=258, member=MEMBER,
        reports=struct(epoch=7, nodes=[fill(1), fill(2)]),
    ),
    "claim": fill(1),
    "running epoch": struct(
        network=fill(1), epoch=7, committee=fill(2), first_block=258, planned_end=1_700_000_000, ending=False
    ),
    "validators": VALIDATORS,
    "beacon": fill(1),
    "bond": struct(
        bonded=Amount(5), returning=[struct(amount=Amount(6), free_from=7), struct(amount=Amount(8), free_from=300)]
    ),
    "order (open)": order(2, None),
    "order (active)": order(
        9,
        struct(committee=7, piece_root=fill(4), promised_until=9, nodes=[fill(1), fill(2), fill(6)], settled_until=8),
    ),
    "expiry": [],
    "motion": struct(action=ACTIONS["authority"], nodes=[fill(1), fill(2)], accepted=True, until=14),
    "measurement": struct(**{"from": 3}, until=300),
    "for good": struct(**{"from": 3}, until=None),
    "authority": struct(weight=16),
    "first block": 258,
}
