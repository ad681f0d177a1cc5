"""faering-fleet as a service of systemd: signals, reload and restart, crash, sockets of the service manager. Units go on through all."""
import json
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from fleet_nodes import Nodes, SystemdNode, systemd_nodes
from fleets import wait_for
from hosts import needs_hosts

pytestmark = needs_hosts
SERVICE = "faering-fleet.service"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with systemd_nodes(tmp_path_factory.mktemp("fleet-hosts"), count=3) as nodes:
        yield nodes


@pytest.fixture
def nodes(running):
    yield running
    for node in running:
        node.host.write("/etc/fleet/fleet.conf", node.config)
        node.host.ok("systemctl", "reload-or-restart", SERVICE)
    running.restore()


@pytest.fixture
def here(nodes) -> Iterator[SystemdNode]:
    """The last host, which runs a unit of its own and a global one."""
    node = nodes[2]
    node.ok("start", nodes.unit("own.service", f"MachineID={node.id}"), nodes.unit("all.service", "Global=true"))
    wait_for("all have told their start", lambda: nodes.events("own.service") + nodes.events("all.service"), lambda found: found == ["start"] * 4)
    yield node


def main_pid(node: SystemdNode, unit: str) -> str:
    return node.host.show(unit, "MainPID")["MainPID"]


def metadata(nodes: Nodes, node: SystemdNode) -> dict[str, str]:
    machines = nodes[0].api("GET", "/fleet/v1/machines")[1]["machines"]
    return next(machine["metadata"] for machine in machines if machine["id"] == node.id)


def assert_untouched(nodes: Nodes, node: SystemdNode, pids: dict[str, str]) -> None:
    wait_for("both are told to be active", lambda: {row[0] for row in nodes[0].rows() if row[1:3] == (node.id, "active")},
             lambda found: found == set(pids))
    assert {unit: main_pid(node, unit) for unit in pids} == pids
    assert nodes.events("own.service") == ["start"] and nodes.events("all.service") == ["start"] * 3


class Asking:
    """Asks the API all the time, each time by a new connection; `refused` has what went wrong."""

    def __init__(self, node: SystemdNode):
        self.node, self.refused, self.asked, self.over = node, [], 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.over.is_set():
            done = self.node.curl("-sS", "-o", "/dev/null", "http://localhost/fleet/v1/discovery")
            self.asked += 1
            if done.returncode:
                self.refused.append(done.stderr)

    def __enter__(self) -> "Asking":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def test_reload_takes_new_settings_and_keeps_listeners_and_units(nodes, here):
    """21: in place, by the same process; who asks meanwhile waits, and is answered."""
    pids, daemon = {unit: main_pid(here, unit) for unit in ("own.service", "all.service")}, here.pid()
    with Asking(here) as asking:
        here.host.write("/etc/fleet/fleet.conf", here.config.replace("metadata=", "metadata=color=blue,"))
        here.host.ok("systemctl", "reload", SERVICE)
        wait_for("the new metadata are known", lambda: metadata(nodes, here).get("color"), lambda found: found == "blue")
        wait_for("it was asked often", lambda: asking.asked > 5)
    assert asking.refused == []
    assert here.pid() == daemon and here.is_up()
    assert_untouched(nodes, here, pids)
    here.signal(signal.SIGHUP)  # and again, with what was inherited
    wait_for("it answers again", lambda: here.api("GET", "/fleet/v1/machines")[0], lambda status: status == 200)
    assert_untouched(nodes, here, pids)


def test_reload_with_settings_that_are_wrong_changes_nothing(nodes, here):
    daemon = here.pid()
    here.host.write("/etc/fleet/fleet.conf", here.config + "agent_ttl=soon\n")
    here.host.ok("systemctl", "reload", SERVICE)
    wait_for("it says why", here.log, lambda text: "the settings are as they were" in text and "agent_ttl" in text)
    assert here.pid() == daemon and here.api("GET", "/fleet/v1/machines")[0] == 200


def test_restart_leaves_units_and_machine_where_they_are(nodes, here):
    pids, daemon = {unit: main_pid(here, unit) for unit in ("own.service", "all.service")}, here.pid()
    here.host.ok("systemctl", "restart", SERVICE)
    assert here.id in nodes[0].machines()
    wait_for("it answers again", lambda: here.api("GET", "/fleet/v1/machines")[0], lambda status: status == 200)
    assert here.pid() != daemon
    assert_untouched(nodes, here, pids)


def test_stop_leaves_the_cluster_with_all_units(nodes, here):
    """22"""
    assert here.stop() == 0
    assert here.id not in nodes[0].machines()
    assert nodes.events("own.service") == ["start", "stop"] and nodes.events("all.service") == ["start"] * 3 + ["stop"]
    assert not here.host.is_active("own.service")


def test_units_that_run_are_adopted_after_a_crash(nodes, here):
    pids, daemon = {unit: main_pid(here, unit) for unit in ("own.service", "all.service")}, here.pid()
    here.host.ok("systemctl", "kill", "--signal=KILL", "--kill-whom=main", SERVICE)
    wait_for("systemd has started it again", here.pid, lambda found: found not in (0, daemon))
    wait_for("it answers again", lambda: here.api("GET", "/fleet/v1/machines")[0], lambda status: status == 200)
    assert_untouched(nodes, here, pids)
    nodes[0].ok("stop", "own")  # and it is in charge of them
    assert nodes.events("own.service") == ["start", "stop"]


def cpu_ticks(node: SystemdNode) -> int:
    fields = node.host.read(f"/proc/{node.pid()}/stat").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_units_and_the_daemon_go_on_without_the_bus(nodes, here):
    """D-Bus is stopped under a running daemon: units stay, what happens to them meanwhile is known later, and nobody spins."""
    pids, daemon = {unit: main_pid(here, unit) for unit in ("own.service", "all.service")}, here.pid()
    here.host.ok("systemctl", "stop", "dbus.socket", "dbus.service")
    wait_for("it is told", here.log, lambda text: "the connection to systemd is lost" in text)
    before = cpu_ticks(here)
    here.host.ok("systemctl", "kill", "--signal=KILL", "own.service")
    time.sleep(3)
    assert cpu_ticks(here) - before < 15, "of 300: it asks all the time"
    assert here.id in nodes[0].machines() and main_pid(here, "all.service") == pids["all.service"]
    here.host.ok("systemctl", "start", "dbus.socket", "dbus.service")
    wait_for("its states are right again", lambda: {row[0]: row[2] for row in nodes[0].rows() if row[1] == here.id},
             lambda found: found == {"own.service": "failed", "all.service": "active"})
    nodes[0].ok("stop", "own")
    nodes[0].ok("start", "own")  # and it is in charge of them
    wait_for("it runs again", lambda: nodes[0].active().get("own.service"), lambda found: found == here.id)
    assert here.pid() == daemon and main_pid(here, "all.service") == pids["all.service"]


def test_state_is_dumped_to_the_log(nodes, here):
    here.signal(signal.SIGUSR1)
    text = wait_for("it is there", lambda: [line for line in here.log().splitlines() if line.startswith("{")])[-1]
    state = json.loads(text)
    assert state["machine"] == here.id and state["registered"] is True
    own = next(machine for machine in state["machines"] if machine["id"] == here.id)
    assert {one["name"]: one["active"] for one in own["states"]} == {"own.service": "active", "all.service": "active"}
    assert {unit["name"]: unit["desiredState"] for unit in state["units"]} == {"own.service": "launched", "all.service": "launched"}


def test_api_is_served_on_sockets_of_the_service_manager(nodes, here):
    """As fleet.socket of the old systems has them; also after a reload, when the program is executed anew. Without it there is a link."""
    assert here.run_at("unix:///var/run/fleet.sock", "list-machines").stdout == here.run("list-machines").stdout
    here.host.write("/etc/systemd/system/faering-fleet.socket", "[Socket]\nListenStream=/run/fleet.sock\nSocketMode=0600\n")
    here.host.sh("systemctl daemon-reload; systemctl stop faering-fleet.service; systemctl start faering-fleet.socket faering-fleet.service")

    def answers() -> bool:
        return here.run_at("unix:///run/fleet.sock", "list-machines").returncode == 0 and here.run("list-machines").returncode == 0

    try:
        wait_for("both sockets answer", answers)
        here.host.ok("systemctl", "reload", SERVICE)
        time.sleep(0.2)
        wait_for("both sockets answer", answers)
        assert here.host.sh("stat -c %a /run/fleet.sock /run/faering/fleet.sock").split() == ["600", "660"]
    finally:
        here.host.sh("systemctl stop faering-fleet.socket; rm /etc/systemd/system/faering-fleet.socket; systemctl daemon-reload")
