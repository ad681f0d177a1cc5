#!/usr/bin/env python3
"""Plants one fault at a time into a copy of the sources and shows that the simulation finds it.

Each tests/sim/mutants/NN-name.patch is applied, sim-store is built and runs seeds 1-200 until one fails. The table says which
seed found the fault, what was violated, and how long it took. Exit 1: one survived, or a patch no longer applies.

    tests/sim/mutants.py [NAME…]     only the patches whose names contain one of these
"""
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PATCHES = ROOT / "tests/sim/mutants"
PLACE = ROOT / "build-check/mutants"
TREE = PLACE / "tree"
BUILD = PLACE / "build"
PROGRAM = "tests/sim/sim-store"
COPIED = ["meson.build", "meson_options.txt", "src", "tests", "tools", "docs", "data"]
SEEDS = "1-200"
# Above the copy git must not see the repository around it: it would take the patch for one of that.
ENVIRONMENT = {**os.environ, "GIT_CEILING_DIRECTORIES": str(PLACE)}


def fail(text: str) -> None:
    sys.exit(f"mutants: {text}")


def copy_tree() -> None:
    """Brings the copy up to date. Times are kept, so that only what differs is built."""
    TREE.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source, target = ROOT / name, TREE / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, target)


def build() -> str | None:
    """None when it was built, otherwise what the compiler says."""
    if not (BUILD / "build.ninja").exists():
        done = subprocess.run(["meson", "setup", "--buildtype=release", str(BUILD), str(TREE)], capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(BUILD, ignore_errors=True)
            return done.stdout[-2000:] + done.stderr
    done = subprocess.run(["ninja", "-C", str(BUILD), PROGRAM], capture_output=True, text=True)
    return done.stdout[-4000:] if done.returncode else None


def apply(patch: Path, reverse: bool) -> None:
    command = ["git", "apply", *(["--reverse"] if reverse else []), str(patch)]
    done = subprocess.run(command, cwd=TREE, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        fail(f"{patch.name} does not apply any more; plant its fault anew in today's sources:\n{done.stderr}")


def changed_files(patch: Path) -> list[str]:
    return re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.M)


def touch(patch: Path) -> None:
    """A patch taken back leaves the old contents: ninja must see that they are new."""
    for name in changed_files(patch):
        os.utime(TREE / name)


def simulate() -> tuple[str, str, float]:
    """Seed, violation and seconds; no seed: it survived."""
    begun = time.monotonic()
    done = subprocess.run([str(BUILD / PROGRAM), "--seeds", SEEDS], capture_output=True, text=True)
    took = time.monotonic() - begun
    found = re.search(r"^seed (\d+): (.*)$", done.stdout, re.M)
    if done.returncode == 0 or not found:
        return "", "", took
    return found.group(1), found.group(2), took


def try_mutant(patch: Path) -> bool:
    apply(patch, reverse=False)
    touch(patch)
    try:
        trouble = build()
        if trouble:
            fail(f"{patch.name} applies, but the result cannot be built:\n{trouble}")
        seed, violation, took = simulate()
    finally:
        apply(patch, reverse=True)
        touch(patch)
    if seed:
        print(f"{patch.stem:<38} seed {seed:>4} {took:6.1f} s  {violation[:110]}", flush=True)
    else:
        print(f"{patch.stem:<38} SURVIVED  {took:6.1f} s", flush=True)
    return bool(seed)


def main() -> None:
    patches = sorted(PATCHES.glob("*.patch"))
    if sys.argv[1:]:
        patches = [p for p in patches if any(word in p.name for word in sys.argv[1:])]
    if not patches:
        fail("there is no such patch")
    copy_tree()
    for patch in sorted(PATCHES.glob("*.patch")):
        touch(patch)  # the last run may have left objects of a planted fault that are newer than the copied sources
    trouble = build()
    if trouble:
        fail(f"the sources without any fault cannot be built:\n{trouble}")
    found = [try_mutant(patch) for patch in patches]
    print(f"{sum(found)} of {len(found)} mutants found")
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
