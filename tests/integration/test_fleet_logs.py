"""Logs of units that run on another machine than the one that is asked."""
import json
import signal
import subprocess
import time
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


def test_global_units_tell_from_all_machines_or_one(fleet, tmp_path):
    path = tmp_path / "glob.service"
    path.write_text("[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo here is %m'\n[X-Fleet]\nGlobal=true\n")
    one, two = fleet.machines
    one.ok("start", str(path))
    for machine in (one, two):
        wait_for("its own line", lambda machine=machine: one.ok("journal", "--machine", machine.id[:8], "glob"),
                 lambda text, machine=machine: f"here is {machine.id}" in text)
    lines = one.ok("journal", "glob").splitlines()
    assert sorted(line.split(" on ")[1].split("...")[0] for line in lines) == [machine.id[:8] for machine in (one, two)]
    assert one.fleet("journal", "--machine", "zz", "glob").returncode == 1


def start_talker(fleet, folder, number: int, name: str, after: float) -> None:
    """Writes "NAME 1", "NAME 2" …, a second apart, beginning so long after the file "go" is there."""
    path = folder / f"{name}.service"
    script = f"while [ ! -e {folder}/go ]; do sleep 0.05; done; sleep {after}; for i in 1 2 3; do echo {name} $i; sleep 1; done; exec sleep 1000"
    path.write_text(f"[Service]\nExecStart=/bin/sh -c '{script}'\n[X-Fleet]\nMachineMetadata=number={number}\n")
    fleet.machines[0].ok("start", str(path))


TOLD = ["alpha 1", "beta 1", "alpha 2", "beta 2", "alpha 3", "beta 3"]


def test_several_logs_are_one_by_time(fleet, tmp_path):
    one, two = fleet.machines
    start_talker(fleet, tmp_path, 1, "alpha", 0)
    start_talker(fleet, tmp_path, 2, "beta", 0.5)
    command = [str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{two.socket}", "logs", "-f", "beta", "alpha"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        try:
            (tmp_path / "go").touch()
            followed = [follower.stdout.readline() for _ in TOLD]
        finally:
            follower.kill()
    assert [line.split("]: ")[1].strip() for line in followed] == TOLD
    assert all(line.split("]: ")[1].split()[0] + ".service[" in line for line in followed)
    merged = one.ok("journal", "beta", "alpha").splitlines()
    assert [line.split("]: ")[1] for line in merged] == TOLD


def test_follower_goes_where_the_unit_goes(fleet, tmp_path):
    one, two = fleet.machines
    path = tmp_path / "tick.service"
    path.write_text("[Service]\nExecStart=/bin/sh -c 'while :; do echo on %m; sleep 0.2; done'\n")
    one.ok("start", str(path))
    first = one.units()["tick.service"][0]
    other = next(machine.id for machine in fleet.machines if machine.id != first)
    with subprocess.Popen([str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{one.socket}", "logs", "-f", "tick"],
                          stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert follower.stdout.readline().rstrip().endswith(f"on {first}")
            one.ok("drain", first)
            while not (line := follower.stdout.readline()).rstrip().endswith(f"on {other}"):
                assert line, f"the follower ended with {follower.wait()}"
        finally:
            follower.kill()
    one.ok("uncordon", first)


def test_a_machine_that_does_not_answer_is_named_and_nobody_hangs(fleet, tmp_path):
    one, two = fleet.machines
    start_talker(fleet, tmp_path, 1, "alpha", 0)
    start_talker(fleet, tmp_path, 2, "beta", 0)
    (tmp_path / "go").touch()
    wait_for("they have told", lambda: one.ok("journal", "beta", "alpha"), lambda text: len(text.splitlines()) == 6)
    follow = [str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{one.socket}", "logs", "-f", "beta", "alpha"]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
        try:
            for _ in range(6):
                follower.stdout.readline()
            two.process.send_signal(signal.SIGSTOP)  # as a machine whose plug was pulled: nothing comes, and nothing ends
            begun = time.monotonic()
            done = one.fleet("journal", "beta", "alpha")
            assert done.returncode == 1 and time.monotonic() - begun < 12
            assert [line.split("]: ")[1] for line in done.stdout.splitlines()] == ["alpha 1", "alpha 2", "alpha 3"]
            assert "cannot read what beta.service wrote" in done.stderr and two.id in done.stderr
            assert "cannot read what beta.service wrote" in follower.stderr.readline()
            assert follower.poll() is None  # alpha is followed on
        finally:
            two.process.send_signal(signal.SIGCONT)
            follower.kill()


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
    assert ask("/faering/v1/usage") == 200
    for method, path in (("GET", "/fleet/v1/units"), ("GET", "/fleet/v1/machines"), ("DELETE", "/fleet/v1/units/talk.service"),
                         ("PUT", "/fleet/v1/units/talk.service"), ("PATCH", "/fleet/v1/machines"), ("POST", "/fleet/v1/state"),
                         ("POST", "/faering/v1/verify"), ("GET", "/faering/v1/rolls"), ("DELETE", "/faering/v1/rolls/talk.service"),
                         ("GET", "/faering/v1/states/talk.service"), ("GET", "/faering/v1/changes")):
        assert ask(path, method) == 403, (method, path)
    assert "talk.service" in one.units()


def test_a_machine_that_serves_no_logs_is_named(tmp_path):
    with Fleet(tmp_path, count=2) as fleet:
        start_on(fleet, 2, tmp_path)
        done = fleet.machines[0].fleet("journal", "talk")
        assert done.returncode == 1
        assert f"the log is on machine {fleet.machines[1].id}" in done.stderr and "--serve-logs" in done.stderr
