"""What people look at, on machines with systemd: lint with that machine's systemd, logs, usage and checks; between machines by
certificates, without --serve-logs."""
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from hosts import Host, Hosts, needs_hosts, wait_until

pytestmark = needs_hosts
FLEET = """[Service]
Environment=FLEET_PUBLIC_IP={address} FLEET_METADATA=number={number} FLEET_ETCD_SERVERS=http://{store}:2379
Environment=FLEET_CERT_FILE=/etc/pki/{name}.pem FLEET_KEY_FILE=/etc/pki/{name}-key.pem FLEET_CA_FILE=/etc/pki/ca.pem
"""
STORE = """[Service]
Environment=ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379 ETCD_ADVERTISE_CLIENT_URLS=http://{store}:2379
"""


def prepare(host: Host, store: Host, authority: Authority) -> None:
    pair = authority.issue(host.name, f"IP:{host.address}")
    for path in (authority.cert, pair.cert, pair.key):
        host.write(f"/etc/pki/{path.name}", Path(path).read_text())
    facts = {"address": host.address, "number": host.number, "store": store.address, "name": host.name}
    host.write("/etc/systemd/system/faering-fleet.service.d/test.conf", FLEET.format(**facts))
    if host is store:
        host.write("/etc/systemd/system/faering-store.service.d/test.conf", STORE.format(**facts))
        host.enable("faering-store.service")
    host.enable("faering-fleet.service")


@pytest.fixture(scope="module")
def hosts(tmp_path_factory) -> Iterator[list[Host]]:
    folder = tmp_path_factory.mktemp("people")
    with Hosts(folder, 2) as hosts:
        authority = Authority(folder / "pki")
        for host in hosts.hosts:
            prepare(host, hosts.hosts[0], authority)
        hosts.power_on()
        wait_until("both are members", lambda: hosts.hosts[0].run("fleetctl", "list-machines", "--no-legend").stdout.count("\n") == 2)
        yield hosts.hosts


def start(hosts: list[Host], name: str, number: int, text: str) -> None:
    hosts[0].write(f"/root/{name}.service", f"{text}[X-Fleet]\nMachineMetadata=number={number}\n")
    hosts[0].ok("fleetctl", "start", f"/root/{name}.service")


def test_lint_asks_the_systemd_of_the_machine_that_the_unit_would_go_to(hosts):
    one, two = hosts
    two.write("/usr/local/bin/only-here", "#!/bin/sh\nexec sleep 1000\n", 0o755)
    text = "[Service]\nExecStart=/usr/local/bin/only-here\nNice=many\n[X-Fleet]\nMachineMetadata=number={}\n"
    for host in (one, two):
        one.write(f"/root/on{host.number}.service", text.format(host.number))
    there = one.ok("faering", "fleet", "lint", "/root/on2.service")
    here = one.ok("faering", "fleet", "lint", "/root/on1.service")
    assert "systemd there says: Command /usr/local/bin/only-here is not executable" in here and "only-here" not in there
    for said in (here, there):
        assert ":3:1: warning: systemd there says:" in said and "        Nice=many\n" in said
    loaded = one.run("faering", "fleet", "load", "/root/on2.service")
    assert loaded.returncode == 0 and ":3:1: warning: systemd there says:" in loaded.stderr
    assert one.run("fleetctl", "load", "/root/on1.service").stderr == ""
    one.ok("fleetctl", "destroy", "on1", "on2")


def test_logs_and_usage_reach_other_machines_by_certificate(hosts):
    one, two = hosts
    start(hosts, "busy", 2, "[Service]\nExecStart=/bin/sh -c 'echo working; while :; do :; done'\n")
    start(hosts, "calm", 1, "[Service]\nExecStart=/bin/sh -c 'echo resting; exec sleep 1000'\n")
    lines = wait_until("both have told", lambda: (text := one.run("fleetctl", "journal", "busy", "calm").stdout)
                       and "working" in text and "resting" in text and text)
    assert "busy.service[" in lines and "calm.service[" in lines
    rows = [line.split() for line in one.ok("faering", "fleet", "top").splitlines()]
    assert [row[0] for row in rows[:3]] == ["UNIT", "busy.service", "calm.service"]
    assert float(rows[1][2]) > 20 and rows[1][3] != "-" and rows[2][3] != "-"


def test_update_with_a_check_on_systemd(hosts):
    one, two = hosts
    start(hosts, "checked", 2, "[Service]\nExecStart=/bin/sleep 1000\n")
    check = "HealthCheck=exec:test -e /run/well\nHealthInterval=200ms\n"
    one.write("/root/new.service", f"[Service]\nExecStart=/bin/sleep 2000\n[X-Fleet]\nMachineMetadata=number=2\n{check}")
    done = one.run("faering", "fleet", "update", "checked", "--file", "/root/new.service", "--timeout", "5")
    assert done.returncode == 1 and "its health check is failing" in done.stderr
    assert "sleep 1000" in one.ok("fleetctl", "cat", "checked") and two.is_active("checked.service")
    two.write("/run/well", "")
    one.ok("faering", "fleet", "update", "checked", "--file", "/root/new.service")
    assert "sleep 2000" in one.ok("fleetctl", "cat", "checked") and "health: passing" in one.ok("fleetctl", "status", "checked")
