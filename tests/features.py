#!/usr/bin/env python3
"""Holds what is built alone to the features of the whole workspace.

Cargo compiles a dependency, and all that is built on it, once more for each set of features. The crate
`workspace-hack` asks for all of them, so that the functions, the proof and the command share what is
compiled. This says what is missing there. Run it as `python3 tests/features.py`.
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The SQL engine asks for more of these than the command needs without it: compiling all that for a first
# `cargo run` would take longer than compiling these twice.
APART = ("arrow-", "parquet ", "twox-hash ")

# What is built alone: by `cargo lambda build`, by `cargo run`, and with its tests by `.ci/run`.
ALONE = [
    ("normal,build", ["enroll", "earn", "redeem", "reverse", "manage", "expire", "read"]),
    ("normal,build", ["regulars"]),
    ("normal,build,dev", ["proof", "decide"]),
]


def features(edges, selection):
    """The features of each dependency from a registry, by its name and version."""
    tree = ["cargo", "tree", "--locked", "-e", edges, "--prefix", "none", "-f", "{p}|{f}"]
    listed = subprocess.run([*tree, *selection], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if listed.returncode:
        sys.exit("cargo tree has failed")
    lines = listed.stdout.splitlines()
    found = {}
    for line in lines:
        name, _, of = line.removesuffix(" (*)").partition("|")
        # Crates of the workspace have a path.
        if name and "(/" not in name:
            found.setdefault(name, set()).update(filter(None, of.split(",")))
    return found


def main():
    whole = features("normal,build,dev", ["--workspace"])
    missing = []
    for edges, crates in ALONE:
        alone = features(edges, [word for crate in crates for word in ("-p", crate)])
        for name, own in sorted(alone.items()):
            lacks = whole.get(name, set()) - own
            if lacks and not name.startswith(APART):
                missing.append(f"{' '.join(crates)}: {name} lacks {', '.join(sorted(lacks))}")
    for line in missing:
        print(line)
    if missing:
        sys.exit("add these to crates/workspace-hack, or they are compiled more than once")
    print("ok  what is built alone has the features of the workspace")


main()
