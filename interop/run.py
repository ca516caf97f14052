#!/usr/bin/env python3
"""Runs Holdfast against the tools of others, and prints one line per agreement.

run.py --holdfast PATH [--node PATH]

Exit status: 0 all agree, 1 at the first difference, 2 usage.
"""

import argparse
import filecmp
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import content

HERE = Path(__file__).resolve().parent
VECTORS = json.loads((HERE / "testdata" / "unixfs.json").read_text())
V1, LEGACY = "unixfs-v1-2025", "256KiB-174"
MIB = 1 << 20

# Name and size; the name is also the seed. The vectors hold sizes 0, 1 and 1 MiB.
SIZES = {file["name"]: file["bytes"] for file in VECTORS["files"]}
SIZES |= {"s1m-1": MIB - 1, "s1m+1": MIB + 1}
STORED = ["s0", "s1", "s1m-1", "s1m", "s1m+1", "s10m3"]
FLIPPED = "s1m+1"
PACKED = "s10m3"
DIRECTORIES = [3, 1000, 6000]

SECONDS = 120
LONG = 600


class Failed(Exception):
    """What differed."""


def ok(line):
    print(f"ok  {line}", flush=True)


def same(what, found, expected):
    if found != expected:
        raise Failed(f"{what}: found {found}, expected {expected}")


class Run:
    def __init__(self, holdfast, node, work):
        self.holdfast, self.node, self.work = holdfast, node, work
        self.files = self.folder("files")
        self.net = work / "net"
        home = str(self.folder("home"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("HOLDFAST_", "XDG_"))}
        self.env |= {"HOME": home, "TMPDIR": str(self.folder("tmp")), "PYTHONDONTWRITEBYTECODE": "1"}

    def folder(self, name):
        path = self.work / name
        path.mkdir()
        return path

    def call(self, *command, seconds=SECONDS, status=0):
        """What a command prints. It prints to a file, which servers it leaves behind may keep open."""
        command = [str(word) for word in command]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                child = subprocess.Popen(
                    command, env=self.env, cwd=self.work, start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                )
            except OSError as e:
                raise Failed(f"{command[0]}: {e}") from None
            try:
                code = child.wait(seconds)
            except subprocess.TimeoutExpired:
                code = f"none after {seconds} s"
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
            out.seek(0)
            err.seek(0)
            text = out.read().decode(errors="replace")
            if code != status:
                said = text + err.read().decode(errors="replace")
                raise Failed(f"{' '.join(command)}: exit status {code}, expected {status}\n{said[-4000:]}")
        return text

    def cli(self, *words, **options):
        return self.call(self.holdfast, *words, **options)

    def script(self, name, *words, **options):
        runner = self.node if name.endswith(".mjs") else sys.executable
        return self.call(runner, HERE / name, *words, **options)

    def make_files(self):
        for name, size in SIZES.items():
            content.write(name, size, self.files / name)
        for count in DIRECTORIES:
            path = self.folder(f"dir-{count}")
            for i in range(count):
                (path / f"file-{i:05}.txt").write_text(f"content {i}")
        ok(f"made {len(SIZES)} files and {len(DIRECTORIES)} directories")

    def cids(self):
        lines = self.script("cids.mjs", self.files, seconds=LONG).splitlines()
        expected = {(x["name"], x["profile"]): x["cid"] for x in map(json.loads, lines)}
        same("cids.mjs: lines", len(expected), 2 * (len(SIZES) + len(DIRECTORIES)))
        for file in VECTORS["files"]:
            for profile, field in ((V1, "cid_unixfs_v1_2025"), (LEGACY, "cid_256KiB_174")):
                same(f"cids.mjs {file['name']} {profile}", expected[file["name"], profile], file[field])
        for count in DIRECTORIES:
            same(f"cids.mjs dir-{count}", expected[f"dir-{count}", V1], VECTORS["directories"][str(count)])
        ok("ipfs-unixfs-importer gives the CIDs of the vectors")

        for (name, profile), cid in expected.items():
            path = self.work / name if name.startswith("dir-") else self.files / name
            same(f"cid {name} --profile {profile}", last_word(self.cli("cid", path, "--profile", profile)), cid)
            ok(f"cid {name} {profile}")
        same("cid of the default profile", last_word(self.cli("cid", self.files / PACKED)), expected[PACKED, V1])
        ok(f"the default profile is {V1}")
        return {name: cid for (name, profile), cid in expected.items() if profile == V1}

    def up(self):
        self.cli("net", "up", "--nodes", 4, "--dir", self.net, seconds=LONG)
        self.env["HOLDFAST_NETWORK"] = str(self.net)
        status = json.loads(self.cli("net", "status", "--dir", self.net, "--json"))
        self.network = status["network"]
        ok(f"network {self.network} of 4 nodes")

    def down(self):
        self.cli("net", "down", "--dir", self.net)
        ok("network down")

    def judged(self, bundle, cid):
        """The verifier accepts the bundle, and it is about this CID."""
        said = self.script("verify.py", bundle, "--network-id", self.network)
        if f" {cid}, " not in said:
            raise Failed(f"{bundle}: not about {cid}\n{said}")

    def bundles(self, cids):
        for name in STORED:
            bundle = self.work / f"{name}.hfb"
            said = self.cli("put", self.files / name, "--bundle", bundle, seconds=LONG)
            same(f"put {name}", last_word(said), cids[name])
            self.judged(bundle, cids[name])
            ok(f"put {name}: the bundle verifies")
        bundle = self.work / f"{FLIPPED}.hfb"
        other = f"{int(self.network, 16) ^ 1:064x}"
        self.script("verify.py", bundle, "--network-id", other, status=6)
        ok("another network id is refused")
        said = self.script(
            "flips.py", bundle, "--network-id", self.network, "--at", int(time.time()), "--every", 7, seconds=LONG
        )
        for line in said.splitlines():
            ok(line)

    def cars(self, cids):
        made, bundle, got, back = (self.work / x for x in ("made.car", "car.hfb", "got.car", "back"))
        same("car.mjs make", last_word(self.script("car.mjs", "make", self.files / PACKED, made)), cids[PACKED])
        _, many = self.script("car.mjs", "read", made).split()
        said = self.cli("put", "--car", made, "--bundle", bundle, seconds=LONG)
        same("put --car", last_word(said), cids[PACKED])
        self.judged(bundle, cids[PACKED])
        ok(f"put --car of {many} blocks in another order")

        self.cli("get", cids[PACKED], "--car", "-o", got, seconds=LONG)
        root, count = self.script("car.mjs", "read", got, "--file", back).split()
        same("root of the CAR", root, cids[PACKED])
        # The CAR that was put has one block twice and one that its root does not reach.
        same("blocks of the CAR", int(count), int(many) - 2)
        if not filecmp.cmp(back, self.files / PACKED, shallow=False):
            raise Failed("get --car: the file put together from its blocks is another")
        ok(f"get --car: {count} blocks, the same file")


    def vectors(self):
        for line in self.script("vectors.py").splitlines():
            ok(line.removeprefix("ok  "))
        golden = json.loads((HERE.parent / "crates/proofs/testdata/ledger_bundle.json").read_text())
        bundle = self.work / "golden.hfb"
        data = bytes.fromhex("".join(part["bytes"] for part in golden["parts"]))
        bundle.write_bytes(data)
        self.script("verify.py", bundle, "--network-id", golden["network"], "--at", golden["at"])
        ok("the golden bundle with a ledger verifies")
        said = self.script(
            "flips.py", bundle, "--network-id", golden["network"], "--at", golden["at"], "--every", 61, "--whole",
            seconds=LONG,
        )
        for line in said.splitlines():
            ok(line)


def last_word(said):
    words = (said.strip().splitlines() or [""])[-1].split()
    if not words:
        raise Failed("a command printed nothing where a CID was due")
    return words[-1]


def perform(run):
    run.vectors()
    run.make_files()
    cids = run.cids()
    failed = None
    try:
        run.up()
        run.bundles(cids)
        run.cars(cids)
    except BaseException as e:
        failed = e
        raise
    finally:
        try:
            run.down()
        except Failed as e:
            if failed is None:
                raise
            print(f"the network did not go down: {e}", file=sys.stderr)


def stop(number, _frame):
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(description="Runs Holdfast against the tools of others.")
    parser.add_argument("--holdfast", required=True, type=Path)
    parser.add_argument("--node", type=Path, default=HERE / "node_modules" / ".bin" / "node", help="Node 24")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="holdfast-interop-", ignore_cleanup_errors=True) as work:
        try:
            # Absolute, but not resolved: a link may choose the program by its own name.
            run = Run(arguments.holdfast.absolute(), arguments.node.absolute(), Path(work).resolve())
            perform(run)
        except (Failed, KeyError, ValueError) as e:
            print(f"FAILED  {e if isinstance(e, Failed) else repr(e)}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
