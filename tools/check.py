#!/usr/bin/env python3
"""Passes the project's tests: ./check [quick|full|mutants]

quick    unit tests of the debug build; needs neither root nor network; under a minute when the build is up to date
(none)   all tests: unit tests with gcc, with clang and under sanitizers, the simulations, integration tests
full     the same with more seeds
mutants  plants faults one at a time and shows that the simulations find each

The last line is "N passed, N failed", with ", N skipped" behind it if there were any; each skipped test is printed with
its reason.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ROOT / "build-check"
JOBS = str(os.cpu_count() or 2)


class Tally:
    """Counts over all steps, and what to say of those that did not pass."""

    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0
        self.notes: list[str] = []

    def add(self, passed: int, failed: int, skipped: int) -> None:
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def fail(self, what: str) -> None:
        self.failed += 1
        self.notes.append(f"FAILED   {what}")

    def skip(self, what: str, why: str) -> None:
        self.skipped += 1
        self.notes.append(f"skipped  {what}: {why}")


BEGIN = time.monotonic()


def say(text: str) -> None:
    print(f"== {text} (after {time.monotonic() - BEGIN:.0f} s)", flush=True)


# Of the release build's tests these are run: by this program, or by the integration tests on a host.
RELEASE_TESTS = ("damage", "systemd-supervisor", "unit-manager-systemd")


def release_targets(folder: Path) -> list[str]:
    """All but the unit tests and fuzzers, which the other builds run."""
    found = subprocess.run(["meson", "introspect", "--targets", str(folder)], capture_output=True, text=True, check=True)
    return [os.path.relpath(name, folder) for target in json.loads(found.stdout) for name in target["filename"]
            if not re.match("(test|fuzz)-", target["name"]) or target["name"].endswith(RELEASE_TESTS)]


def build(tally: Tally, name: str, options: list[str], environment: dict[str, str], some=lambda _: []) -> Path | None:
    """Configures (once) and builds all, or the targets that `some` names; None when that failed."""
    folder = BUILDS / name
    env = {**os.environ, **environment}
    if not (folder / "build.ninja").exists():
        done = subprocess.run(["meson", "setup", *options, str(folder), str(ROOT)], env=env, capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-4000:], done.stderr)
            tally.fail(f"configuring {name}")
            return None
    done = subprocess.run(["ninja", "-C", str(folder), "-j", JOBS, *some(folder)], env=env, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-8000:])
        tally.fail(f"building {name}")
        return None
    return folder


def run_meson_tests(tally: Tally, folder: Path, suite: str) -> None:
    """Runs a suite of a build and counts its tests."""
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    done = subprocess.run(["meson", "test", "-C", str(folder), "--no-rebuild", "--suite", suite, "--num-processes", JOBS],
                          env=env, capture_output=True, text=True)
    if not log.exists():
        print(done.stdout[-4000:], done.stderr)
        tally.fail(f"running suite {suite} of {folder.name}")
        return
    for line in log.read_text().splitlines():
        result = json.loads(line)
        if result["result"] == "OK":
            tally.passed += 1
        elif result["result"] == "SKIP":
            tally.skip(f"{folder.name}: {result['name']}", result["stdout"].strip() or "no reason given")
        else:
            tally.fail(f"{folder.name}: {result['name']} ({result['result']})")
            print(result["stdout"][-4000:], result.get("stderr", "")[-4000:])


def why_failed(outcome: ElementTree.Element) -> str:
    """What a failed test gave as its reason, short enough for a list."""
    lines = [line for line in (outcome.get("message") or outcome.text or "no reason given").splitlines() if line.strip()]
    text = " | ".join(line.strip() for line in lines[:2] + lines[2:][-4:])
    return text if len(text) <= 600 else f"{text[:300]} … {text[-300:]}"


def run_pytest(tally: Tally, folder: Path, *arguments: str) -> None:
    """Runs the integration tests on the programs of a build."""
    env = {**os.environ, "FAERING_BUILD": str(folder)}
    report = folder / "integration.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "--durations=12", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments],
                          cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode not in (0, 1) or not report.exists():
        print(done.stdout[-6000:], done.stderr)
        tally.fail("running the integration tests")
        return
    if done.returncode:
        print(done.stdout[-12000:])
    else:
        print("\n".join(re.findall(r"^[\d.]+s (?:call|setup|teardown) .*$", done.stdout, re.M)))
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        outcomes = {outcome.tag: outcome for outcome in case}
        for kind in ("failure", "error"):  # an error is one of its fixtures'
            if kind in outcomes:
                tally.fail(f"{name}: {kind}: {why_failed(outcomes[kind])}")
        if "skipped" in outcomes:
            tally.skip(name, outcomes["skipped"].get("message", "no reason given"))
        elif "failure" not in outcomes and "error" not in outcomes:
            tally.passed += 1


def run_program(tally: Tally, what: str, command: list[str]) -> None:
    """One program that passes or fails as a whole."""
    say(what)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print("\n".join(done.stdout.strip().splitlines()[-12:]))
    if done.returncode:
        print(done.stderr[-4000:])
        tally.fail(what)
    else:
        tally.passed += 1


def simulate(tally: Tally, folder: Path, name: str, seeds: str, what: str = "tests/sim/sim-store") -> None:
    program = folder / what
    if program.exists():
        run_program(tally, name, [str(program), "--seeds", seeds, "--jobs", str(os.cpu_count() or 1)])


def check_quick(tally: Tally) -> None:
    say("build and unit tests")
    folder = build(tally, "debug", [], {})
    if folder:
        run_meson_tests(tally, folder, "unit")


def check_all(tally: Tally, full: bool) -> None:
    # Not as errors: sanitizers give the compiler warnings that are not of the code. The optimizer's work is seen in the other builds.
    sanitize = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dwerror=false", "-Doptimization=1"]
    check_quick(tally)
    say("release build")
    release = build(tally, "release", ["--buildtype=release"], {}, release_targets)
    say("clang build and unit tests")
    folder = build(tally, "clang", ["--buildtype=debug"], {"CC": "clang"})
    if folder:
        run_meson_tests(tally, folder, "unit")
    say("unit tests under sanitizers")
    asan = build(tally, "asan", sanitize, {})
    if asan:
        run_meson_tests(tally, asan, "unit")
    if release:
        say("a log damaged at every byte")
        run_meson_tests(tally, release, "damage")
        simulate(tally, release, "simulation of the store", "1-2000" if full else "1-1000")
        simulate(tally, release, "simulation of fleet", "1-5000" if full else "1-1000", "tests/sim-fleet/sim-fleet")
    if asan:
        simulate(tally, asan, "simulation of the store under sanitizers", "1-50")
        simulate(tally, asan, "simulation of fleet under sanitizers", "1-50", "tests/sim-fleet/sim-fleet")
    if release and list((ROOT / "tests/integration").glob("test_*.py")):
        say("integration tests")
        run_pytest(tally, release, "tests/integration")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["quick", "all", "full", "mutants"], default="all")
    what = parser.parse_args().what
    tally = Tally()
    if what == "quick":
        check_quick(tally)
    elif what == "mutants":
        run_program(tally, "mutants of the store", [sys.executable, str(ROOT / "tests/sim/mutants.py")])
        run_program(tally, "mutants of fleet", [sys.executable, str(ROOT / "tests/sim-fleet/mutants.py")])
    else:
        check_all(tally, what == "full")
    for note in sorted(tally.notes, key=lambda note: note.startswith("FAILED")):  # what failed last, where it is seen
        print(note)
    print(f"took {time.monotonic() - BEGIN:.0f} s")
    print(f"{tally.passed} passed, {tally.failed} failed" + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
