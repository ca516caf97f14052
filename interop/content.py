#!/usr/bin/env python3
"""Writes the content of a test file: content.py NAME BYTES OUT. The name is the seed."""

import random
import sys


def write(name, size, out):
    generator = random.Random(name)
    with open(out, "wb") as file:
        # randbytes draws whole 32-bit words, so pieces of a multiple of four bytes join up.
        while size:
            piece = min(size, 1 << 20)
            file.write(generator.randbytes(piece))
            size -= piece


if __name__ == "__main__":
    if len(sys.argv) != 4 or not sys.argv[2].isdigit():
        sys.exit("usage: content.py NAME BYTES OUT")
    write(sys.argv[1], int(sys.argv[2]), sys.argv[3])
