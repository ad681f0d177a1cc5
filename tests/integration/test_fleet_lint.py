"""lint: what it says of files, and that start, load and submit refuse what is wrong before the first change."""
import json
import subprocess

import pytest
from fleets import BUILD, Fleet

from pathlib import Path

UNITS = Path(__file__).resolve().parents[1] / "units"
GOOD = "[Service]\nExecStart=/bin/sleep 1000\n"
ACCEPTED = sorted(path.name for path in UNITS.iterdir() if "." in path.name and not path.name.startswith("bad-"))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("lint"), count=2, metadata=["zone=east", "zone=west"]) as running:
        yield running


@pytest.fixture
def one(fleet):
    yield fleet.machines[0]
    names = [row["name"] for row in fleet.machines[0].api("GET", "/fleet/v1/units")[1].get("units", [])]
    if names:
        fleet.machines[0].ok("destroy", *names)


def write(folder, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def known(one) -> set[str]:
    return {row["name"] for row in one.api("GET", "/fleet/v1/units")[1].get("units", [])}


def test_findings_have_a_place_a_caret_and_a_guess(one, tmp_path):
    path = write(tmp_path, "a.service", GOOD + "RestartSec=soon\n[Instal]\nWantedBy=x.target\n[X-Fleet]\nMachineMetadata=zone=wst\n")
    done = one.fleet("lint", path)
    assert done.returncode == 0 and done.stderr == ""
    for text in (f"{path}:3:12: warning: RestartSec= is passed over by systemd: expected a time span",
                 "        RestartSec=soon\n                   ^~~~\n", "did you mean [Install]?", "did you mean zone=west?",
                 "note: OnPartition=keep"):
        assert text in done.stdout
    assert one.fleet("lint", "--strict", path).returncode == 1
    found = json.loads(one.fleet("lint", "-o", "json", path).stdout)
    assert (found["errors"], found["warnings"], found["cluster"]) == (0, 3, True)
    assert found["files"][0]["findings"][-1]["line"] == 7
    assert one.fleet("lint", str(tmp_path / "nothing.service")).returncode == 2


def test_lint_needs_no_cluster(tmp_path):
    path = write(tmp_path, "a.service", "[Service]\nType=simple\n")
    done = subprocess.run([str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{tmp_path}/no.sock", "lint", path],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "neither ExecStart= nor ExecStop=" in done.stdout and "no fleet daemon answers" in done.stderr


def test_nothing_is_changed_when_one_of_several_is_wrong(one, tmp_path):
    good = write(tmp_path, "good.service", GOOD)
    bad = write(tmp_path, "bad.service", "[Service]\nExcStart=/bin/true\n")
    for verb in ("submit", "load", "start"):
        done = one.fleet(verb, good, bad)
        assert done.returncode == 1 and done.stdout == ""
        assert f"{bad}:1:1: error: the service has neither ExecStart=" in done.stderr and "--no-lint" in done.stderr
        assert known(one) == set()
    assert one.fleet("submit", "--no-lint", good, bad).returncode == 0
    assert known(one) == {"good.service", "bad.service"}


def test_what_the_cluster_has_is_not_judged_by_a_file_beside(one, tmp_path):
    path = write(tmp_path, "known.service", GOOD)
    one.ok("start", path)
    write(tmp_path, "known.service", "[Service]\n")
    done = one.fleet("start", path)
    assert done.returncode == 0 and "differs from local unit file" in done.stderr
    assert one.fleet("start", "--replace", path).returncode == 1
    assert "ExecStart" in one.ok("cat", "known")


def test_refusals_are_told_as_fleetctl_told_them(one):
    for name, text in (("global-pin", "MachineID cannot be used with Global"),
                       ("self-conflict", 'unresolvable requirements: peer "web.service" matches conflict "web*"')):
        done = one.fleetctl("submit", str(UNITS / f"bad-{name}.service"))
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error creating units: {text}\n")


def test_all_units_that_fleet_took_are_taken(one):
    done = one.fleetctl("submit", *(str(UNITS / name) for name in ACCEPTED))
    assert (done.returncode, done.stderr) == (0, "")
    assert known(one) == set(ACCEPTED)
