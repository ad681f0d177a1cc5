"""-o of every verb that has it: sound JSON on a line of its own, forms that are not known refused; and what plan and lint tell."""
import json
from pathlib import Path

import pytest
from fleets import Fleet, wait_for

SLEEP = "[Service]\nExecStart=/bin/sh -c 'echo hello; exec sleep 1000'\n"
NOWHERE = SLEEP + "[X-Fleet]\nMachineMetadata=number=9\n"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("forms"), count=1) as fleet:
        yield fleet.machines[0]


@pytest.fixture(scope="module")
def folder(one, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("units")
    for name, text in (("talk", SLEEP), ("nowhere", NOWHERE), ("new", SLEEP)):
        (folder / f"{name}.service").write_text(text)
    one.ok("start", str(folder / "talk.service"))
    one.ok("start", "--no-block", str(folder / "nowhere.service"))
    return folder


def verbs(folder: Path) -> list[list[str]]:
    return [["explain", "talk"], ["plan", f"{folder}/new"], ["whatif", "any-1"], ["lint", f"{folder}/new.service"], ["rebalance", "--dry-run"],
            ["status", "talk"], ["top", "-n", "1"], ["list-units"], ["list-unit-files"], ["list-machines"]]


def test_json_is_sound_and_ends_its_line(one, folder):
    for words in verbs(folder):
        done = one.fleet(*words, "-o", "json")
        assert done.returncode in (0, 1) and done.stderr == "", (words, done.stderr)
        assert isinstance(json.loads(done.stdout), dict | list) and done.stdout.endswith("\n") and not done.stdout.endswith("\n\n"), words


def test_unknown_forms_are_refused(one, folder):
    for words in [*verbs(folder), ["journal", "talk"]]:
        done = one.fleet(*words, "-o", "yaml")
        assert done.returncode == 2 and done.stdout == "" and 'unknown form "yaml"' in done.stderr, (words, done.stdout, done.stderr)


def test_a_journal_comes_in_journalctls_forms(one, folder):
    def lines(*options: str) -> list[str]:
        return one.ok("journal", "talk", *options).splitlines()

    wait_for("it has spoken", lines)
    assert lines("-o", "cat") == ["hello"]
    assert lines("--output=short") == lines() and lines()[0].endswith(": hello")
    assert lines("-o", "short-iso")[0].split("T")[0].count("-") == 2
    line = json.loads(lines("-o", "json")[0])
    assert (line["unit"], line["text"]) == ("talk.service", "hello") and line["pid"] > 0 and line["time"] > 10 ** 15


def test_what_waits_already_is_still_told_by_a_plan(one, folder):
    done = one.fleet("plan", f"{folder}/nowhere", f"{folder}/talk")
    assert done.returncode == 1 and "nowhere.service" in done.stdout and "no home" in done.stdout and "talk.service" not in done.stdout
    assert one.ok("plan", f"{folder}/talk") == "nothing would change its place\n"
    done = one.fleet("plan", "--destroy", "nosuch")
    assert done.returncode == 1 and "nosuch.service does not exist" in done.stderr


def test_lint_says_nothing_of_a_cluster_that_it_did_not_ask(one, folder):
    done = one.fleet("lint", f"{folder}/none.service")
    assert done.returncode == 2 and "No such file" in done.stderr and "no fleet daemon" not in done.stderr
    done = one.fleetctl("lint", f"{folder}/new.service", endpoint=f"unix://{folder}/none")
    assert done.returncode == 0 and "no fleet daemon answers" in done.stderr
