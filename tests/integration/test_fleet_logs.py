"""Logs of units that run on another machine than the one that is asked."""
import json
import subprocess
import urllib.error
import urllib.request

import pytest
from fleets import BUILD, Fleet, wait_for

TALK = "[Service]\nExecStart=/bin/sh -c 'echo first; while [ ! -e {folder}/go ]; do sleep 0.1; done; echo second; exec sleep 1000'\n"


def start_on(fleet, number: int, folder, name: str = "talk.service"):
    path = folder / name
    path.write_text(TALK.format(folder=folder) + f"[X-Fleet]\nMachineMetadata=number={number}\n")
    fleet.machines[0].ok("start", str(path))


@pytest.fixture
def fleet(tmp_path):
    with Fleet(tmp_path, count=2, extra=("--serve-logs", "http://127.0.0.1:{port}")) as fleet:
        yield fleet


def test_journal_comes_from_the_machine_where_the_unit_runs(fleet, tmp_path):
    start_on(fleet, 2, tmp_path)
    one, two = fleet.machines
    lines = wait_for("its first line is there", lambda: two.ok("journal", "talk"), lambda text: "first" in text)
    assert one.ok("journal", "talk") == lines
    status = one.ok("status", "talk")
    assert two.id in status and "active (running)" in status


def test_following_goes_on_across_machines(fleet, tmp_path):
    start_on(fleet, 2, tmp_path)
    one = fleet.machines[0]
    wait_for("its first line is there", lambda: one.ok("journal", "talk"), lambda text: "first" in text)
    with subprocess.Popen([str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{one.socket}", "journal", "-f", "talk"],
                          stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert follower.stdout.readline().rstrip().endswith(": first")
            (tmp_path / "go").touch()
            assert follower.stdout.readline().rstrip().endswith(": second")
            fleet.machines[1].kill()
            assert follower.wait(timeout=10) == 1  # the other daemon has died: no hang, no pretended end
        finally:
            follower.kill()


def test_global_units_name_a_machine(fleet, tmp_path):
    path = tmp_path / "glob.service"
    path.write_text("[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo here is %m'\n[X-Fleet]\nGlobal=true\n")
    one, two = fleet.machines
    one.ok("start", str(path))
    for machine in (one, two):
        wait_for("its own line", lambda machine=machine: one.ok("journal", "--machine", machine.id[:8], "glob"),
                 lambda text, machine=machine: f"here is {machine.id}" in text)
    done = one.fleet("journal", "glob")
    assert done.returncode == 1 and "Unable to retrieve journal of global unit glob.service" in done.stderr
    assert one.fleet("journal", "--machine", "zz", "glob").returncode == 1


def test_the_address_for_others_only_reads(fleet, tmp_path):
    start_on(fleet, 2, tmp_path)
    one, two = fleet.machines
    record = json.loads(fleet.store.stores[0].request("GET", f"/v2/keys/_coreos.com/fleet/machines/{two.id}/object")[2]["node"]["value"])
    assert record["ID"] == two.id and record["LogsURL"].startswith("http://127.0.0.1:")

    def ask(path, method="GET"):
        try:
            with urllib.request.urlopen(urllib.request.Request(record["LogsURL"] + path, method=method), timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    assert ask("/fleet/v1/state") == 200
    assert ask("/faering/v1/logs/talk.service") == 200
    for method, path in (("GET", "/fleet/v1/units"), ("GET", "/fleet/v1/machines"), ("DELETE", "/fleet/v1/units/talk.service"),
                         ("PUT", "/fleet/v1/units/talk.service"), ("PATCH", "/fleet/v1/machines"), ("POST", "/fleet/v1/state")):
        assert ask(path, method) == 403, (method, path)
    assert "talk.service" in one.units()


def test_a_machine_that_serves_no_logs_is_named(tmp_path):
    with Fleet(tmp_path, count=2) as fleet:
        start_on(fleet, 2, tmp_path)
        done = fleet.machines[0].fleet("journal", "talk")
        assert done.returncode == 1
        assert f"the log is on machine {fleet.machines[1].id}" in done.stderr and "--serve-logs" in done.stderr
