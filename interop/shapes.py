"""Reading canonical DAG-CBOR into named fields: docs/spec/encoding.md."""

import unicodedata

import dag_cbor
from blake3 import blake3
from multiformats import CID

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


def decode(data):
    """The value of canonical DAG-CBOR; what reads but is not written the same is refused."""
    try:
        value = dag_cbor.decode(data)
        again = dag_cbor.encode(value)
    except Exception as e:
        raise Refused(f"not DAG-CBOR ({type(e).__name__})") from None
    need(again == data, "not the canonical encoding")
    return value


def signing_input(tag, network_id, encoded):
    return tag + b"\0" + network_id + digest(encoded)
