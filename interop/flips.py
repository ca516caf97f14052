#!/usr/bin/env python3
"""Turns over single bits of a good bundle; every copy must be refused.

flips.py BUNDLE --network-id HEX --at UNIX_SECONDS [--every K] [--whole]

Two kinds: bits of the file as it is, which its digest shows; and bits of the body under a
repaired digest, which only the check can show. The second kind stays within the certificate,
unless --whole asks for the whole body but the import profile, which nobody signs.

Exit status: 0 all refused, 1 one accepted or the bundle not valid, 2 usage.
"""

import argparse
import sys
from multiprocessing import Pool

import dag_cbor

import verify

# Field numbers of the body.
CERTIFICATE, IMPORT_PROFILE = 2, 6


def field_ends(body):
    """Where each field of a canonical body ends."""
    fields = dag_cbor.decode(body)
    ends = [1]  # the head of a list of seven is one byte
    for field in fields:
        ends.append(ends[-1] + len(dag_cbor.encode(field)))
    assert ends[-1] == len(body)
    return ends


def flipped(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def accepted(job):
    """The bit, if the bundle with that bit turned over is not refused."""
    repaired, bit = job
    if repaired:
        body = flipped(DATA[1:-34], bit)
        copy = DATA[:1] + body + DATA[-34:-32] + verify.digest(body)
    else:
        copy = flipped(DATA, bit)
    status, _ = verify.check(copy, NETWORK, AT)
    return None if status == verify.INVALID else (repaired, bit, status)


def prepare(data, network, at):
    """What each process needs; judging the good bundle fills the cache."""
    global DATA, NETWORK, AT
    DATA, NETWORK, AT = data, network, at
    return verify.check(data, network, at)


def main():
    parser = argparse.ArgumentParser(description="Turns over single bits of a bundle.")
    parser.add_argument("bundle")
    parser.add_argument("--network-id", required=True, type=verify.network_id_argument, metavar="HEX")
    parser.add_argument("--at", required=True, type=int, metavar="UNIX_SECONDS")
    parser.add_argument("--every", default=1, type=int, metavar="K", help="only each K-th bit")
    parser.add_argument("--whole", action="store_true", help="the whole body, not the certificate alone")
    arguments = parser.parse_args()
    if arguments.every < 1:
        parser.error("K is at least 1")
    try:
        with open(arguments.bundle, "rb") as file:
            data = file.read(verify.MAX_BUNDLE + 1)
    except OSError as e:
        parser.error(str(e))

    task = data, arguments.network_id, arguments.at
    status, steps = prepare(*task)
    if status != verify.FRESH:
        print(f"the untouched bundle is {status}: {steps[-1]}")
        return 1
    print("untouched bundle valid")

    ends = field_ends(data[1:-34])
    low, high = (0, ends[IMPORT_PROFILE]) if arguments.whole else (ends[CERTIFICATE], ends[CERTIFICATE + 1])
    kinds = [
        ("file", False, range(0, len(data) * 8, arguments.every)),
        ("repaired digest", True, range(low * 8, high * 8, arguments.every)),
    ]
    bad = []
    with Pool(initializer=prepare, initargs=task) as pool:
        for name, repaired, bits in kinds:
            jobs = ((repaired, bit) for bit in bits)
            found = [x for x in pool.imap_unordered(accepted, jobs, chunksize=16) if x]
            print(f"{name}: {len(bits) - len(found)} flips refused")
            bad += found
    for repaired, bit, status in bad:
        where = "body" if repaired else "file"
        print(f"ACCEPTED as {status}: bit {bit % 8} of byte {bit // 8} of the {where}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
