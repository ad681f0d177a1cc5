"""faering-fleet as a service of systemd, but with units of its own (--supervisor embedded): they outlive its restart and its crash,
also where systemd has put all of them into one control group, of either version."""
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleets import wait_for
from hosts import Host, Hosts, needs_hosts

pytestmark = needs_hosts
SERVICE = "faering-fleet.service"
UNIT = """[Service]
ExecStart=/bin/sh -c 'echo $$$$ >>/run/runs.pids; exec sleep 1000'
ExecStopPost=/bin/sh -c 'echo stop >>/run/runs.pids'
"""


@pytest.fixture(scope="module", params=["as this machine", "unified"])
def host(request, tmp_path_factory) -> Iterator[Host]:
    unified = request.param == "unified"
    if unified and Path("/sys/fs/cgroup/cgroup.procs").exists():
        pytest.skip("this machine has version 2 of control groups: the other parameter shows it")
    with Hosts(tmp_path_factory.mktemp("embedded"), 1, unified=unified) as hosts:
        host = hosts[0]
        host.write("/etc/fleet/fleet.conf", "supervisor=embedded\nagent_ttl=5s\n")
        host.write("/etc/runs.service", UNIT)
        host.enable("faering-store.service", SERVICE)
        host.power_on()
        assert not unified or host.path("/sys/fs/cgroup/cgroup.procs").exists()
        yield host


def runs(host: Host) -> list[str]:
    """What the unit's processes have noted."""
    return host.sh("cat /run/runs.pids 2>/dev/null || true").split()


def active(host: Host) -> str:
    return host.run("fleetctl", "list-units", "--no-legend", "--fields", "unit,active").stdout


def begin_anew(host: Host, *command: str) -> None:
    before = host.show(SERVICE, "MainPID")
    host.ok(*command)
    wait_for("another daemon runs", lambda: host.show(SERVICE, "MainPID"), lambda now: now not in (before, {"MainPID": "0"}))
    wait_for("it has the unit", lambda: active(host), lambda text: text.split() == ["runs.service", "active"])


def test_units_go_on_while_their_daemon_begins_anew(host):
    wait_for("it answers", lambda: host.run("fleetctl", "start", "/etc/runs.service").returncode, lambda code: code == 0)
    (pid,) = wait_for("the unit has told its start", lambda: runs(host))
    for command in (("restart", SERVICE), ("kill", "--signal=KILL", "--kill-whom=main", SERVICE), ("restart", SERVICE)):
        begin_anew(host, "systemctl", *command)
        assert runs(host) == [pid]
    assert host.sh(f"cat /proc/{pid}/comm").strip() == "sleep"
    host.ok("fleetctl", "stop", "runs.service")
    assert runs(host) == [pid, "stop"] and host.run("test", "-e", f"/proc/{pid}").returncode == 1
    host.ok("fleetctl", "start", "runs.service")
    wait_for("it has been started again", lambda: len(runs(host)), lambda count: count == 3)
    host.ok("systemctl", "stop", SERVICE)  # which leaves the cluster
    assert runs(host)[3:] == ["stop"]
