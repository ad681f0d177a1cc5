"""From a switch to a cluster: hosts with systemd as their first process, a cloud-config each, and no other step. The units are the
shipped ones; `systemctl enable faering-boot.target` is what an installation's owner does once."""
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import NET, SWITCH_ADDRESS, Host, Hosts, needs_hosts, wait_until
from stores import BUILD

pytestmark = needs_hosts
INSTALLER_PATH = "/var/lib/coreos-install/user_data"
MEMBERS = 3

# One text for all. The last unit hands the cluster its global unit; on every machine, so that it matters not which is up first.
USER_DATA = """#cloud-config
write_files:
  - path: /etc/everywhere/everywhere.service
    content: |
      [Service]
      ExecStart=/bin/sleep infinity
      [X-Fleet]
      Global=true
coreos:
  etcd2:
    name: $private_ipv4
{founding}
    initial-advertise-peer-urls: http://$private_ipv4:2380
    listen-peer-urls: http://$private_ipv4:2380
    listen-client-urls: http://0.0.0.0:2379
    advertise-client-urls: http://$private_ipv4:2379
  fleet:
    public-ip: $private_ipv4
    metadata: ip=$private_ipv4
  units:
    - {{name: etcd2.service, command: start}}
    - {{name: fleet.service, command: start}}
    - name: everywhere-start.service
      command: start
      content: |
        [Unit]
        After=fleet.service
        StartLimitIntervalSec=0
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        Restart=on-failure
        RestartSec=100ms
        ExecStart=/usr/bin/env fleetctl start --no-block /etc/everywhere/everywhere.service
"""

PROXY_USER_DATA = """#cloud-config
coreos:
  etcd2:
    proxy: on
    listen-client-urls: http://0.0.0.0:2379
    initial-cluster: {cluster}
  fleet:
    public-ip: $private_ipv4
    metadata: role=proxy
  units:
    - {{name: etcd2.service, command: start}}
    - {{name: fleet.service, command: start}}
"""


def cluster_of(count: int) -> str:
    return ",".join(f"{NET}.{10 + n}=http://{NET}.{10 + n}:2380" for n in range(1, count + 1))


def prepare(host: Host, user_data: str, path: str = INSTALLER_PATH) -> None:
    host.write(path, user_data)
    host.write("/etc/environment", f"COREOS_PRIVATE_IPV4={host.address}\n")
    host.enable("faering-boot.target")


def members(host: Host) -> list[str]:
    """Names, of the members that have said theirs."""
    done = host.run("etcdctl", "member", "list")
    return sorted(word.removeprefix("name=") for word in done.stdout.split() if word.startswith("name="))


def runs_everywhere(host: Host, count: int) -> bool:
    done = host.run("fleetctl", "list-units", "--no-legend", "--fields=unit,sub")
    return [line.split() for line in done.stdout.splitlines()] == [["everywhere.service", "running"]] * count


def started_after(host: Host, unit: str) -> float:
    """Seconds from systemd's start until the unit was active."""
    begin = int(host.show("", "UserspaceTimestampMonotonic")["UserspaceTimestampMonotonic"])
    return (int(host.show(unit, "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"]) - begin) / 1e6


def assert_cluster(hosts: list[Host], count: int) -> None:
    wait_until(f"{count} members", lambda: len(members(hosts[0])) == count)
    wait_until("the global unit runs on all", lambda: runs_everywhere(hosts[0], len(hosts)))
    for host in hosts:
        assert host.failed_units() == "", (host.name, host.failed_units())


def tell_times(title: str, hosts: list[Host]) -> None:
    for host in hosts:
        print(f"\n{title} {host.name}: member {started_after(host, 'faering-store.service'):.2f} s, "
              f"unit {started_after(host, 'everywhere.service'):.2f} s after systemd began", end="")
    print()


def assert_applied(host: Host, source: str, changed: bool) -> None:
    """What `faering boot status` says, to people and to programs."""
    state = json.loads(host.ok("faering", "boot", "status", "-o", "json"))
    assert state["outcome"] == "applied" and state["source"] == source and state["unitManager"] == "systemd"
    assert (state["changed"] > 0) == changed and state["remade"] > 0, state
    assert [(unit["unit"], unit["result"]) for unit in state["units"]][:2] == [("etcd2.service", "done"), ("fleet.service", "done")]
    assert state["units"][2]["result"].startswith("done"), state["units"]  # also when it had to be started again
    assert changed or "changed  nothing; " in host.ok("faering", "boot", "status")


def test_static_cluster_that_grows_and_a_reboot(tmp_path: Path) -> None:
    with Hosts(tmp_path, MEMBERS) as hosts:
        founders = list(hosts)
        for host in founders:
            prepare(host, USER_DATA.format(founding=f"    initial-cluster: {cluster_of(MEMBERS)}"))
        hosts.power_on()
        assert_cluster(founders, MEMBERS)
        assert members(hosts[0]) == [host.address for host in founders]
        tell_times("static", founders)
        for host in founders:
            wait_until("the outcome is noted", lambda host=host: host.run("faering", "boot", "status").returncode == 0)
            assert_applied(host, INSTALLER_PATH, changed=True)
        add_proxy(hosts)
        add_member(hosts)
        assert_reboot_changes_nothing(hosts, hosts[1])


def add_proxy(hosts: Hosts) -> None:
    """A machine without data, whose fleet reaches the members by it."""
    proxy = hosts.add()
    prepare(proxy, PROXY_USER_DATA.format(cluster=cluster_of(MEMBERS)))
    proxy.power_on()
    wait_until("the unit runs on the proxy's machine, too", lambda: runs_everywhere(proxy, MEMBERS + 1))
    assert "role=proxy" in hosts[0].ok("fleetctl", "list-machines", "--no-legend", "--full")
    assert len(members(proxy)) == MEMBERS
    proxy.ok("etcdctl", "set", "/by-proxy", "1")
    assert hosts[0].ok("etcdctl", "get", "/by-proxy") == "1\n"


def add_member(hosts: Hosts) -> None:
    """Announced first, as etcd wants it; its cloud-config names all members there are then."""
    fifth = hosts.add()
    hosts[0].ok("etcdctl", "member", "add", fifth.address, f"http://{fifth.address}:2380")
    cluster = f"{cluster_of(MEMBERS)},{fifth.address}=http://{fifth.address}:2380"
    prepare(fifth, USER_DATA.format(founding=f"    initial-cluster: {cluster}\n    initial-cluster-state: existing"))
    fifth.power_on()
    assert_cluster(list(hosts), MEMBERS + 1)
    assert fifth.address in members(hosts[0])
    assert fifth.ok("etcdctl", "get", "/by-proxy") == "1\n"
    tell_times("added", [fifth])


def files_that_last(host: Host) -> dict[str, tuple]:
    """Of /etc: path, kind and mode, and what it holds."""
    found = {}
    for folder, _, names in os.walk(host.path("/etc")):
        for name in names:
            path = Path(folder, name)
            status = path.lstat()
            content = os.readlink(path) if path.is_symlink() else path.read_bytes()
            found[f"{folder}/{name}".partition("/etc/")[2]] = (status.st_mode, status.st_ino, content)
    return found


def assert_reboot_changes_nothing(hosts: Hosts, host: Host) -> None:
    before, store_id = files_that_last(host), host.ok("etcdctl", "member", "list").splitlines()
    host.reboot()
    assert_cluster(list(hosts), MEMBERS + 1)
    wait_until("the second outcome is noted", lambda: host.run("faering", "boot", "status").returncode == 0)
    assert_applied(host, INSTALLER_PATH, changed=False)
    assert files_that_last(host) == before
    assert [line.split()[0] for line in host.ok("etcdctl", "member", "list").splitlines()] == [line.split()[0] for line in store_id]
    assert "nothing had to be changed: the machine is so already" in host.ok("journalctl", "-o", "cat", "--no-pager")
    tell_times("rebooted", [host])


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Hosts]:
    with Hosts(tmp_path, MEMBERS) as hosts:
        yield hosts


def test_cluster_by_discovery_url_of_our_own_store(three: Hosts, tmp_path: Path) -> None:
    """The store that knows who founds the cluster is on the switch."""
    url = f"http://{SWITCH_ADDRESS}:2379"
    log = (tmp_path / "discovery.log").open("wb")
    store = subprocess.Popen(three.inside(str(BUILD / "src/store/faering-store"), "--name", "discovery", "--data-dir", str(tmp_path / "discovery"),
                                          "--listen-client-urls", url, "--advertise-client-urls", url), stdout=log, stderr=log)
    log.close()
    curl = three.inside("curl", "-sf", "-X", "PUT", f"{url}/v2/keys/discovery/t0/_config/size", "-d", f"value={MEMBERS}")
    wait_until("the discovery service", lambda: subprocess.run(curl, capture_output=True).returncode == 0)
    for host in three:
        prepare(host, USER_DATA.format(founding=f"    discovery: {url}/v2/keys/discovery/t0"))
    three.power_on()
    assert_cluster(list(three), MEMBERS)
    tell_times("discovery", list(three))
    assert store.poll() is None
    store.terminate()


def test_config_drive(tmp_path: Path) -> None:
    """Of OpenStack's kind, mounted before the boot, as udev's rule has it done where there is a drive."""
    drive = tmp_path / "drive/openstack/latest"
    drive.mkdir(parents=True)
    (drive / "user_data").write_text("#cloud-config\nwrite_files: [{path: /etc/from-drive, content: $private_ipv4}]\n")
    (drive / "meta_data.json").write_text(json.dumps({"hostname": "by-drive", "public_keys": {"me": "ssh-rsa DRIVE"}}))
    with Hosts(tmp_path, 1, binds={"/media/configdrive": tmp_path / "drive"}) as hosts:
        host = hosts[0]
        host.write("/etc/environment", f"COREOS_PRIVATE_IPV4={host.address}\n")
        host.write("/etc/passwd", host.read("/etc/passwd") + "core:x:500:500::/home/core:/bin/sh\n")
        host.write("/etc/group", host.read("/etc/group") + "core:x:500:\n")
        host.path("/home/core").mkdir(parents=True)
        os.chown(host.path("/home/core"), 500, 500)
        host.enable("faering-boot.target")
        host.power_on()
        assert host.failed_units() == ""
        assert host.read("/etc/from-drive") == host.address
        assert host.ok("hostname") == "by-drive\n"
        assert host.read("/home/core/.ssh/authorized_keys") == "ssh-rsa DRIVE\n"
        assert "/media/configdrive" in host.ok("faering", "boot", "status")
        host.write(INSTALLER_PATH, "#cloud-config\nwrite_files: [{path: /etc/late, content: x}]\n")  # one that comes later is waited for
        wait_until("the late cloud-config is applied", lambda: host.path("/etc/late").exists())


def test_units_and_script_on_systemd(tmp_path: Path) -> None:
    """What only a real systemd shows: enabling, masks, drop-ins, a unit that waits for the boot's end, one that fails, a script."""
    user_data = """#cloud-config
hostname: by-config
coreos:
  units:
    - name: last.service
      command: start
      content: "[Unit]\\nAfter=multi-user.target\\n[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n"
    - name: lasting.service
      enable: true
      content: "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"
    - {name: masked.service, mask: true}
    - name: bad.service
      command: start
      content: "[Service]\\nType=oneshot\\nExecStart=/bin/false\\n"
    - name: quick.service
      command: start
      content: "[Service]\\nExecStart=/bin/sleep infinity\\n"
      drop-ins: [{name: 10-more.conf, content: "[Service]\\nEnvironment=MORE=1\\n"}]
"""
    with Hosts(tmp_path, 1) as hosts:
        host = hosts[0]
        prepare(host, user_data, "/var/lib/faering/boot/user-data")
        host.write("/usr/share/oem/cloud-config.yml", "#!/bin/sh\nhostname >/var/from-oem\n")
        host.power_on()
        wait_until("the outcome is noted", lambda: "bad.service" in host.run("faering", "boot", "status").stdout)
        status = host.ok("faering", "boot", "status")
        assert "start bad.service: failed" in status and "start last.service: done" in status and "start quick.service: done" in status
        assert host.failed_units().split()[0] == "bad.service"
        assert host.ok("hostname") == "by-config\n" and host.read("/etc/hostname") == "by-config\n"
        assert host.show("lasting.service", "UnitFileState", "ActiveState") == {"UnitFileState": "enabled", "ActiveState": "inactive"}
        assert host.show("masked.service", "LoadState") == {"LoadState": "masked"}
        assert host.show("quick.service", "Environment") == {"Environment": "MORE=1"}
        wait_until("the script of the image ran", lambda: host.path("/var/from-oem").exists())
        host.reboot()
        assert host.is_active("lasting.service")


@pytest.mark.parametrize("program", ["test-boot-unit-manager-systemd", "test-host-systemd-supervisor"])
def test_unit_tests_that_need_systemd(tmp_path: Path, program: str) -> None:
    """Those of meson's suite "hosts"; a host sees this machine's files below its own, and so the build."""
    with Hosts(tmp_path, 1, binds={str(BUILD): BUILD}) as hosts:
        hosts.power_on()
        done = hosts[0].run("env", "FAERING_TEST_SYSTEMD=1", str(BUILD / program))
        assert done.returncode == 0, done.stdout + done.stderr
