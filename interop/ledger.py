"""Following a ledger by its headers, and proofs of its rows: docs/spec/ledger.md, "Light client" and "State tree"."""

import dag_cbor
from blake3 import blake3

from curves import MESSAGE_DST, bls_key, signed_by, sum_of_keys
from shapes import WORD, between, digest, integer, many, need, octets, octets_up_to, optional, signing_input, struct

# Ten years of days.
RETAIN_EPOCHS_MAX = 3660
VOTE_TAG = b"holdfast/vote/1"
PRECOMMIT = 2

WEIGHT = between(1, 16)
LEDGER = struct(
    block_time=between(0, 2**32 - 1),
    authorities=many(struct(node_id=octets(32), weight=WEIGHT), 0, 128),
    contents=octets(32),
)
HEADER = struct(
    height=integer,
    parent=octets(32),
    time=integer,
    round=WORD,
    proposer=octets(32),
    seal=octets(48),
    validators=octets(32),
    next_validators=octets(32),
    transactions=octets(32),
    receipts=octets(32),
    state=octets(32),
)
SIGNED = struct(header=HEADER, finality=struct(round=WORD, signers=octets_up_to(32), signature=octets(48)))
SET = struct(validators=many(struct(node_id=octets(32), bls=octets(96), weight=WEIGHT), 0, 128))
HANDOVERS = many(struct(last=SIGNED, next=SET), 0, 1024)
ROW_PROOF = struct(instead=optional(many(octets(32), 0, 2)), siblings=many(octets(32), 0, 256))
COMMITTEE_PROOF = struct(signed=SIGNED, row=ROW_PROOF)


def ascending(validators):
    nodes = [validator["node_id"] for validator in validators]
    need(nodes, "no validator")
    need(all(a < b for a, b in zip(nodes, nodes[1:])), "validators out of order")


def authority_rules(genesis):
    ledger = genesis["ledger"]
    need(1 <= ledger["block_time"] <= 3_600_000, "the time between blocks")
    ascending(ledger["authorities"])
    members = {member["node_id"] for member in genesis["members"]}
    need(all(authority["node_id"] in members for authority in ledger["authorities"]), "an authority is no member")


def first_validators(genesis):
    keys = {member["node_id"]: member["bls"] for member in genesis["members"]}
    return [
        {"node_id": a["node_id"], "bls": keys[a["node_id"]], "weight": a["weight"]}
        for a in genesis["ledger"]["authorities"]
    ]


def set_id(validators):
    return digest(dag_cbor.encode([[[v["node_id"], v["bls"], v["weight"]] for v in validators]]))


def decided(network_id, validators, signed, encoded):
    """That these validators decided on a header, given also as its bytes."""
    header, finality = signed["header"], signed["finality"]
    need(header["validators"] == set_id(validators), "others decide about this header")
    need(finality["round"] >= header["round"], "decided before it was made")
    bits = int.from_bytes(finality["signers"], "little")
    need(len(finality["signers"]) == (len(validators) + 7) // 8, "a bitmap of another length")
    need(bits >> len(validators) == 0, "a bit beyond the last validator")
    signers = [validator for place, validator in enumerate(validators) if bits >> place & 1]
    whole, part = (sum(v["weight"] for v in some) for some in (validators, signers))
    need(3 * part > 2 * whole, f"{part} of {whole} of all weight")
    vote = dag_cbor.encode([header["height"], finality["round"], PRECOMMIT, digest(encoded)])
    total = sum_of_keys(v["bls"] for v in signers)
    message = signing_input(VOTE_TAG, network_id, vote)
    need(signed_by(total, finality["signature"], message, MESSAGE_DST), "the votes do not verify")


def final_header(network_id, genesis, handovers, signed, encoded_headers, encoded_sets):
    """The header at the end of the way from genesis, and how many changes of validators lead to it."""
    need(genesis["ledger"] is not None, "this network has no ledger")
    validators, height = first_validators(genesis), -1
    for handover, encoded, next_set in zip(handovers, encoded_headers, encoded_sets):
        header, validators_then = handover["last"]["header"], handover["next"]["validators"]
        need(header["height"] > height, "a handover that is no later than the one before")
        need(header["next_validators"] == digest(next_set), "not the set that the header names")
        ascending(validators_then)
        for validator in validators_then:
            bls_key(validator["bls"])
        decided(network_id, validators, handover["last"], encoded)
        validators, height = validators_then, header["height"]
    decided(network_id, validators, signed, encoded_headers[-1])
    return signed["header"], len(handovers)


def keyed(key, data):
    return blake3(data, key=key.encode().ljust(32, b"\0")).digest()


def bit(path, at):
    return path[at // 8] >> 7 - at % 8 & 1


def row_rules(root, address, row, proof):
    """That a state holds a row of this hash under an address, or none where the hash is None."""
    path = keyed("holdfast/state/path/1", address)
    instead, siblings = proof["instead"], proof["siblings"]
    need((instead is None) == (row is not None), "it does not say whether the row is there")
    if instead == []:
        node = bytes(32)
    elif instead is None:
        node = keyed("holdfast/state/leaf/1", path + row)
    else:
        need(len(instead) == 2, "neither a row nor nothing")
        need(instead[0] != path, "the row itself")
        need(all(bit(instead[0], at) == bit(path, at) for at in range(len(siblings))), "a row that stands elsewhere")
        node = keyed("holdfast/state/leaf/1", b"".join(instead))
    for at in reversed(range(len(siblings))):
        pair = siblings[at] + node if bit(path, at) else node + siblings[at]
        node = keyed("holdfast/state/node/1", pair)
    need(node == root, "it leads to another state")
