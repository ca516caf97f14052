#!/usr/bin/env python3
"""Golden vectors of the ledger, written from docs/spec alone: a second encoder, and second roots.

vectors.py [--write]

Compares them with crates/ledger/testdata, or writes them there. Exit status: 0 the same, 1 not.
"""

import argparse
import json
import sys

from objects import (
    ACTIONS,
    CONTENTS,
    CRATES,
    FINALITY,
    HEADER,
    PAYLOADS,
    RECEIPTS,
    REGISTRATION,
    ROWS,
    SET,
    SIGNED,
    TRANSACTION,
    VALIDATORS,
    Amount,
    digest,
    encode,
    fill,
    keyed,
    parts,
    payload,
    struct,
    vote,
)

TESTDATA = CRATES / "ledger" / "testdata"
HEAD = "Written by interop/vectors.py from docs/spec/ledger.md"


def labelled(about, objects):
    """A file of objects, each in labelled parts."""
    out = []
    for name, value in objects.items():
        pieces = list(parts(name, value))
        assert b"".join(piece for _, piece in pieces) == encode(value), name
        out += [{"what": what, "bytes": piece.hex()} for what, piece in pieces]
    return {"what": f"{about}. {HEAD}", "parts": out}


# Roots


def list_root(objects):
    level = [keyed("holdfast/list/leaf/1", item) for item in objects]
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [keyed("holdfast/list/node/1", b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
    top = level[0] if level else bytes(32)
    return keyed("holdfast/list/root/1", len(objects).to_bytes(8, "big") + top)


def path_of(address):
    return keyed("holdfast/state/path/1", address)


def bit(path, at):
    return path[at // 8] >> 7 - at % 8 & 1


def subtree(leaves, depth=0):
    """The hash of a subtree: leaves are paths with the hashes of their rows."""
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        ((path, row),) = leaves.items()
        return keyed("holdfast/state/leaf/1", path + row)
    halves = [{path: row for path, row in leaves.items() if bit(path, depth) == side} for side in (0, 1)]
    return keyed("holdfast/state/node/1", b"".join(subtree(half, depth + 1) for half in halves))


def row_proof(leaves, path):
    """The way to a path: what stands there instead of its row, and the hashes beside it."""
    siblings = []
    while len(leaves) > 1:
        depth = len(siblings)
        beside = {other: row for other, row in leaves.items() if bit(other, depth) != bit(path, depth)}
        leaves = {other: row for other, row in leaves.items() if bit(other, depth) == bit(path, depth)}
        siblings.append(subtree(beside, depth + 1))
    if path in leaves:
        instead = None
    else:
        instead = [part for item in leaves.items() for part in item]
    return instead, siblings


def state():
    """Forty rows, so that the tree is more than one page; and proofs about some that are there and some that are not."""
    rows = {bytes([1]) + fill(n): encode(struct(balance=Amount(n), nonce=n)) for n in range(40)}
    leaves = {path_of(address): digest(row) for address, row in rows.items()}
    there = sorted(rows)[0]
    absent = [bytes([11]) + fill(n) for n in range(100)]
    kind = lambda address: len(row_proof(leaves, path_of(address))[0])
    nothing, other = next(a for a in absent if kind(a) == 0), next(a for a in absent if kind(a) == 2)
    proofs = {}
    for name, address in (("presence", there), ("nothing instead", nothing), ("another instead", other)):
        instead, siblings = row_proof(leaves, path_of(address))
        proofs[name] = address, struct(instead=instead, siblings=siblings)
    some = lambda count: {path_of(a): digest(rows[a]) for a in sorted(rows)[:count]}
    roots = [{"rows": count, "root": subtree(some(count)).hex()} for count in (0, 1, 2, 3, 40)]
    return rows, roots, proofs


STATE, STATE_ROOTS, PROOFS = state()

# Plain pairs of input and output


def signing_input(tag, network, encoded):
    return tag.encode() + b"\0" + network + digest(encoded)


def account_text(key):
    """Bech32m of BIP 350 with the prefix hf."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    number = int.from_bytes(key, "big") << 4
    data = [number >> 5 * at & 31 for at in reversed(range(52))]
    check = 1
    for value in [ord(c) >> 5 for c in "hf"] + [0] + [ord(c) & 31 for c in "hf"] + data + [0] * 6:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for at, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> at & 1 else 0
    check ^= 0x2BC830A3
    return "hf1" + "".join(letters[x] for x in data + [check >> 5 * (5 - at) & 31 for at in range(6)])


def turn(weights, height, round_):
    left = (height + round_) % sum(weights)
    for place, weight in enumerate(weights):
        if left < weight:
            return place
        left -= weight


def issued(height):
    return 40 * 10**18 >> (height - 1) // 6_307_200 if height else 0


def pairs():
    network = fill(9)
    inputs = {
        "transaction": ("holdfast/transaction/1", TRANSACTION.fields["body"]),
        "registration": ("holdfast/registration/1", REGISTRATION),
        "vote": ("holdfast/vote/1", vote(fill(8))),
        "no vote": ("holdfast/vote/1", vote(None)),
        "seal": ("holdfast/seal/1", struct(beacon=fill(1), height=258)),
    }
    weights = [item.fields["weight"] for item in SET]
    turns = [(0, 0), (1, 0), (1, 1), (19, 0), (20, 0), (2**64 - 1, 2**32 - 1)]
    names = {
        "transaction id, and that of an order": TRANSACTION,
        "block hash": HEADER,
        "validators": VALIDATORS,
        "contents": CONTENTS,
    } | {f"motion ({name})": action for name, action in ACTIONS.items()}
    return {
        "what": f"Inputs and what comes out. {HEAD}",
        "list roots": [
            {"objects": [fill(n).hex() for n in range(count)], "root": list_root([fill(n) for n in range(count)]).hex()}
            for count in (0, 1, 2, 3, 5, 8)
        ],
        "receipts root": list_root(
            [digest(encode(x)) for x in [*RECEIPTS.fields["transactions"], RECEIPTS.fields["events"]]]
        ).hex(),
        "beacon": {"before": fill(1).hex(), "seal": fill(3, 48).hex(), "after": digest(fill(1) + fill(3, 48)).hex()},
        "names": {name: digest(encode(value)).hex() for name, value in names.items()},
        "signing inputs": {
            name: signing_input(tag, network, encode(value)).hex() for name, (tag, value) in inputs.items()
        },
        "turns": [{"height": h, "round": r, "place": turn(weights, h, r)} for h, r in turns],
        "rewards": [
            {"height": h, "units": str(issued(h))}
            for h in (0, 1, 6_307_200, 6_307_201, 12_614_401, 66 * 6_307_200 + 1, 2**64 - 1)
        ],
        "accounts": [{"key": fill(n).hex(), "text": account_text(fill(n))} for n in (1, 2)],
        "state": {
            "rows": [{"address": a.hex(), "row": r.hex(), "path": path_of(a).hex()} for a, r in sorted(STATE.items())],
            "roots": STATE_ROOTS,
            "proofs": {name: address.hex() for name, (address, _) in PROOFS.items()},
        },
    }


def files():
    return {
        "payloads.json": labelled("Payloads of transactions", {name: payload(name) for name in PAYLOADS}),
        "blocks.json": labelled(
            "What a ledger begins with, blocks, and who decides",
            {
                "contents": CONTENTS,
                "transaction": TRANSACTION,
                "header": HEADER,
                "block": struct(header=HEADER, transactions=[TRANSACTION]),
                "vote": vote(fill(8)),
                "no vote": vote(None),
                "finality": FINALITY,
                "signed header": SIGNED,
                "handover": struct(last=SIGNED, next=VALIDATORS),
            },
        ),
        "receipts.json": labelled("Receipts", {"receipts": RECEIPTS}),
        "rows.json": labelled("Rows", ROWS),
        "row_proofs.json": labelled("Proofs of rows", {name: proof for name, (_, proof) in PROOFS.items()}),
        "pairs.json": pairs(),
    }


def written(value):
    """A part in a line, as in the other vectors."""
    if "parts" not in value:
        return json.dumps(value, indent=1) + "\n"
    lines = ",\n".join("  " + json.dumps(part) for part in value["parts"])
    return f'{{\n "what": {json.dumps(value["what"])},\n "parts": [\n{lines}\n ]\n}}\n'


def main():
    parser = argparse.ArgumentParser(description="Golden vectors of the ledger, from its specification.")
    parser.add_argument("--write", action="store_true", help="writes them instead of comparing")
    arguments = parser.parse_args()
    bad = 0
    for name, value in files().items():
        path, text = TESTDATA / name, written(value)
        if arguments.write:
            path.write_text(text)
        elif not path.is_file() or path.read_text() != text:
            print(f"FAILED  {path} is not what the specification gives", file=sys.stderr)
            bad += 1
        else:
            print(f"ok  {name}: {sum(len(x) for x in value.values() if not isinstance(x, str))} vectors")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
