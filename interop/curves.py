"""Keys and signatures: Ed25519, X25519 and BLS12-381 as docs/spec/encoding.md has them."""

from functools import lru_cache
from hashlib import sha256

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

from shapes import Refused, need

MESSAGE_DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
POSSESSION_DST = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"

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


def sum_of_keys(keys):
    total = Z2
    for key in keys:
        total = add(total, bls_key(key))
    need(not is_inf(total), "the keys add up to the identity")
    return total
