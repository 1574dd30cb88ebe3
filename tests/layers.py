#!/usr/bin/env python3
"""Holds the code to its layers.

Between crates, no arrow goes upwards: each crate depends only on crates below it. Inside a crate, no
two files import each other, directly or in a ring, and `mod` lines stand in reading order: a module
after those that it imports. A parent that re-exports a child (`pub use`) does not import it.

It reads `use` lines and paths as text, those that begin with `crate::`, `super::`, `self::` or a child
module, so that it needs nothing but Python. Run it as `python3 tests/layers.py`, or with `--planted` to see that it finds rings that are
planted.
"""

import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The crates from the lowest to the highest. Crates of one line do not depend on each other.
LAYERS = [
    ["ledger", "lift", "workspace-hack", "worth"],
    ["rules", "store", "liability"],
    ["decide", "audit"],
    ["api", "backtest"],
    ["enroll", "earn", "redeem", "reverse", "manage", "expire", "read", "history"],
    ["local", "measures"],
    ["end-to-end"],
    ["regulars", "proof"],
]
FOLDERS = ["crates", "functions", "tests"]


def manifests():
    """The manifest of each crate of the workspace."""
    for folder in FOLDERS:
        for manifest in sorted((ROOT / folder).rglob("Cargo.toml")):
            parsed = tomllib.loads(manifest.read_text())
            is_own_workspace = "workspace" in parsed
            if "package" in parsed and not is_own_workspace:
                yield manifest.parent, parsed


def upward_arrows(manifests):
    """Dependencies that go upwards, or sideways."""
    rank = {crate: place for place, crates in enumerate(LAYERS) for crate in crates}
    for folder, manifest in manifests:
        crate = manifest["package"]["name"]
        if crate not in rank:
            yield f"{folder.relative_to(ROOT)}: `{crate}` is in no layer of tests/layers.py"
            continue
        for dependency in sorted(dependencies(manifest)):
            if dependency in rank and rank[dependency] >= rank[crate]:
                yield f"`{crate}` depends on `{dependency}`, which is not below it"


def dependencies(manifest):
    """The crates that a crate depends on, its tests as well, by their own names."""
    parts = [manifest, *manifest.get("target", {}).values()]
    kinds = ["dependencies", "dev-dependencies", "build-dependencies"]
    for listed in (part.get(kind, {}) for part in parts for kind in kinds):
        for name, terms in listed.items():
            yield terms.get("package", name) if isinstance(terms, dict) else name


def without_comments_and_strings(text):
    token = re.compile(r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"', re.S)
    return token.sub(lambda found: "" if found.group(0)[0] == "/" else '""', text)


def without_tests(text):
    """The text without its test modules."""
    return re.sub(r"#\[cfg\(test\)\]\s*mod \w+ \{.*?^\}$", "", text, flags=re.S | re.M)


def flattened(use):
    """The paths of a `use`: `a::{b, c::d}` is `a::b` and `a::c::d`."""
    use = use.strip()
    if "{" not in use:
        yield use.split(" as ")[0].strip()
        return
    prefix, rest = use.split("{", 1)
    rest = rest[: rest.rindex("}")]
    depth, part = 0, ""
    for sign in rest + ",":
        if sign == "," and depth == 0:
            if part.strip():
                yield from flattened(prefix + part.strip())
            part = ""
            continue
        depth += {"{": 1, "}": -1}.get(sign, 0)
        part += sign


class Crate:
    """The files of one crate, by module path."""

    def __init__(self, source):
        self.files = {}
        for file in sorted(source.rglob("*.rs")):
            parts = list(file.relative_to(source).with_suffix("").parts)
            # A program beside a library is a crate of its own.
            if parts[-1] in ("lib", "mod") or parts == ["main"] and not (source / "lib.rs").exists():
                parts.pop()
            text = without_tests(without_comments_and_strings(file.read_text()))
            if not re.search(r"^tests?$", parts[0] if parts else ""):
                self.files.setdefault(tuple(parts), "")
                self.files[tuple(parts)] += "\n" + text
        self.names = self.reexports()

    def reexports(self):
        """Names that a file re-exports, with the module that each comes from."""
        names = {}
        for module, text in self.files.items():
            for use in re.findall(r"pub(?:\([^)]*\))?\s+use\s+([^;]+);", text):
                for path in flattened(use):
                    steps = [step for step in path.split("::") if step not in ("self", "crate")]
                    absolute = steps if path.startswith("crate") else [*module, *steps]
                    names[(*module, steps[-1])] = tuple(absolute[:-1])
        return names

    def resolve(self, path):
        """The file that an absolute path leads into."""
        for _ in range(4):
            place = next(
                (path[:end] for end in range(len(path), -1, -1) if path[:end] in self.files), ()
            )
            item = path[len(place) : len(place) + 1]
            target = self.names.get((*place, *item))
            if not item or target is None or target == place:
                return place
            path = (*target, *item)
        return place

    def imports(self, module):
        """The modules that a file imports from."""
        text = self.files[module]
        text = re.sub(r"pub(?:\([^)]*\))?\s+use\s+[^;]+;", "", text)
        uses = [path for use in re.findall(r"\buse\s+([^;]+);", text) for path in flattened(use)]
        text = re.sub(r"\buse\s+[^;]+;", "", text)
        uses += re.findall(r"\b(?:crate|super|self)(?:::\w+)+", text)
        children = {other[-1] for other in self.files if other[:-1] == module and other}
        if children:
            uses += re.findall(rf"(?<![\w:.])(?:{'|'.join(sorted(children))})::\w+", text)
        for use in uses:
            steps = use.split("::")
            if steps[0] == "crate":
                path = tuple(steps[1:])
            elif steps[0] == "self":
                path = (*module, *steps[1:])
            elif steps[0] == "super":
                above = steps.count("super")
                path = (*module[: len(module) - above], *steps[above:])
            elif steps[0] in children:
                path = (*module, *steps)
            else:
                continue
            found = self.resolve(path)
            if found != module:
                yield found


def rings(crate):
    """The rings of files that import each other: strongly connected components (Tarjan, 1972)."""
    graph = {module: sorted(set(crate.imports(module))) for module in crate.files}
    index, low, stack, found = {}, {}, [], []

    def visit(module):
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph[module]:
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            ring = []
            while not ring or ring[-1] != module:
                ring.append(stack.pop())
            if len(ring) > 1:
                found.append((ring, graph))

    for module in graph:
        if module not in index:
            visit(module)
    return found


def out_of_order(crate):
    """Modules that are listed before one that they import."""
    graph = {module: set(crate.imports(module)) for module in crate.files}
    for parent, text in crate.files.items():
        children = re.findall(r"^(?:pub(?:\([^)]*\))?\s+)?mod (\w+);", text, re.M)
        children = [child for child in children if (*parent, child) in crate.files]
        depth = len(parent)

        def imported(child):
            """The siblings that a child, or a file below it, imports."""
            below = [module for module in graph if module[: depth + 1] == (*parent, child)]
            found = {other for module in below for other in graph[module] if len(other) > depth}
            return {other[depth] for other in found if other[:depth] == parent} - {child}

        uses = {child: imported(child) for child in children}
        for place, child in enumerate(children):
            for later in children[place + 1 :]:
                if later in uses[child] and child not in uses[later]:
                    yield "::".join(parent) or "lib", child, later


def faults():
    all_manifests = list(manifests())
    yield from upward_arrows(all_manifests)
    for folder, manifest in all_manifests:
        source = folder / pathlib.Path(manifest.get("lib", {}).get("path", "src/lib.rs")).parent
        if not source.is_dir():
            continue
        crate = Crate(source)
        for ring, graph in rings(crate):
            names = {module: "::".join(module) or "lib" for module in ring}
            arrows = [
                f"{names[module]} -> {names[other]}"
                for module in sorted(ring)
                for other in graph[module]
                if other in ring
            ]
            yield f"`{manifest['package']['name']}` has a ring of files: {', '.join(arrows)}"
        for parent, child, later in out_of_order(crate):
            name = manifest["package"]["name"]
            yield f"`{name}`, {parent}: `mod {child}` imports `{later}` and stands before it"


def planted():
    """Whether rings and upward arrows are found where they are planted."""
    crate = Crate.__new__(Crate)
    crate.files = {
        (): "mod a; mod b; pub use a::One;",
        ("a",): "use crate::b::Two; pub struct One;",
        ("b",): "use crate::One; pub struct Two;",
        ("c",): "mod d; pub use d::Four; pub struct Three;",
        ("c", "d"): "use super::Three; pub struct Four;",
        ("e",): "mod f; pub struct Five; fn six() { f::six() }",
        ("e", "f"): "use super::Five; pub fn six() {}",
    }
    crate.names = crate.reexports()
    found = sorted(sorted(ring) for ring, _ in rings(crate))
    assert found == [[("a",), ("b",)], [("e",), ("e", "f")]], found
    tests = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n"
    assert without_tests(tests).split() == "fn a() {} fn c() {}".split(), without_tests(tests)
    crate.files = {(): "mod a;\nmod b;", ("a",): "use crate::b::Two;", ("b",): "struct Two;"}
    crate.names = crate.reexports()
    assert list(out_of_order(crate)) == [("lib", "a", "b")]
    for low in [
        {"dependencies": {"store": {}}},
        {"dev-dependencies": {"store": {}}},
        {"dependencies": {"below": {"package": "store"}}},
        {"target": {"cfg(unix)": {"dependencies": {"store": "1"}}}},
    ]:
        low["package"] = {"name": "ledger"}
        assert len(list(upward_arrows([(ROOT, low)]))) == 1, low
    print("ok  planted rings, upward arrows and modules out of order are found")


if __name__ == "__main__":
    if "--planted" in sys.argv:
        planted()
    wrong = list(faults())
    print("\n".join(wrong) or "ok  no arrow upwards, no ring of files, modules in reading order")
    sys.exit(bool(wrong))
