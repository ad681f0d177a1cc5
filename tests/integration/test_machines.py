"""Local machines: isolation, a cluster on them, the plug pulled, and that nothing is left."""
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from fleets import wait_for
from machines import FAERING, Machines, groups_named, host_network, namespaces_in_use
from stores import free_ports

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="local machines need root")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three machines that the tests share, with a port forwarded to the first one's store."""
    port = free_ports(1)[0]
    before = host_network()
    with Machines(tmp_path_factory.mktemp("three"), forwards=(f"{port}:m1:2379",)) as machines:
        machines.port = port
        namespaces, key = machines.namespaces(), machines.group_key()
        yield machines
        machines.ok("down")
    assert_nothing_left(machines, namespaces, key)
    assert host_network() == before


def assert_nothing_left(machines: Machines, namespaces: set[str], key: str) -> None:
    """The kernel takes namespaces apart a moment after the last process."""
    wait_for("processes and mounts are gone", machines.processes, lambda found: not found, 5)
    wait_for("namespaces are gone", lambda: namespaces & namespaces_in_use(), lambda found: not found, 5)
    assert groups_named(key) == []
    assert not machines.directory.exists()


@pytest.fixture(scope="module")
def slow_programs(three, tmp_path_factory):
    """The programs, with a unit that keeps a machine from being up."""
    programs = tmp_path_factory.mktemp("slow") / "programs"
    shutil.copytree(three.directory / "programs", programs, symlinks=True)
    add_wanted(programs, "slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 300\n")
    return programs


def add_wanted(programs: Path, name: str, text: str) -> None:
    units = programs / "usr/lib/systemd/system"
    (units / name).write_text(text)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants" / name).symlink_to(f"../{name}")


# ---- isolation ----

def test_each_machine_has_its_own_name_and_address(three):
    for i, name in enumerate(three.names):
        assert three.sh(name, "hostname").strip() == name
        assert three.sh(name, "cat /etc/hostname").strip() == name
        assert f"10.66.0.{11 + i}" in three.sh(name, "cat /proc/net/fib_trie")
        assert set(three.sh(name, "ls /sys/class/net").split()) - {"faering0"} == {"eth0", "lo"}  # faering0: of the engine
        assert three.sh(name, "echo $COREOS_PRIVATE_IPV4").strip() == f"10.66.0.{11 + i}"


def test_machine_ids_differ_and_stay(three):
    ids = {three.sh(name, "cat /etc/machine-id").strip() for name in three.names}
    assert len(ids) == 3 and all(len(one) == 32 for one in ids)


def test_machines_share_no_namespace_with_the_host_or_each_other(three):
    status = three.status()
    for kind in ("pid", "mnt", "net", "uts", "ipc", "cgroup"):
        seen = {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in ("self", *(status[name]["pid"] for name in three.names))}
        assert len(seen) == 4, kind


def test_first_process_is_init_and_the_hosts_processes_are_not_seen(three):
    assert three.sh("m1", "cat /proc/1/comm").strip() == "faering-init"
    assert int(three.sh("m1", "ls -d /proc/[0-9]* | wc -l")) < 20


def test_files_of_a_machine_are_its_own(three):
    three.sh("m1", "echo one > /etc/mark; echo one > /var/mark; echo one > /run/mark; echo one > /usr/mark")
    for place in ("/etc/mark", "/var/mark", "/run/mark", "/usr/mark"):
        assert three.sh("m1", f"cat {place}").strip() == "one"
        assert three.run("m2", "test", "-e", place).returncode == 1
        assert not Path(place).exists()


def test_other_machines_disks_are_not_seen(three):
    assert three.run("m1", "test", "-e", str(three.directory / "m2")).returncode == 1


def test_dangerous_things_of_the_host_are_out_of_reach(three):
    bounding = int(three.sh("m1", "sed -n 's/^CapBnd:\\t//p' /proc/self/status"), 16)
    for capability in (16, 17, 22, 25, 32, 33, 34):  # SYS_MODULE SYS_RAWIO SYS_BOOT SYS_TIME MAC_OVERRIDE MAC_ADMIN SYSLOG
        assert not bounding >> capability & 1, capability
    assert three.run("m1", "sh", "-c", "echo 1 > /proc/sys/kernel/panic").returncode != 0
    three.sh("m1", "echo 77 > /proc/sys/net/ipv4/ip_default_ttl")
    assert three.sh("m1", "cat /proc/sys/net/ipv4/ip_default_ttl").strip() == "77"
    assert three.sh("m2", "cat /proc/sys/net/ipv4/ip_default_ttl").strip() != "77"


def test_units_of_the_host_are_not_those_of_a_machine(three):
    _, answer = three.init("m1", "GET", "units")
    assert answer["units"] and all(unit["name"].startswith("faering-") for unit in answer["units"])


# ---- exec ----

def test_exec_passes_exit_code_output_and_input(three):
    assert three.run("m1", "sh", "-c", "exit 42").returncode == 42
    assert three.run("m1", "no-such-command").returncode == 127
    done = subprocess.run(three.command("exec", "m1", "--", "tr", "a-z", "A-Z"), input="abc", capture_output=True, text=True, timeout=20)
    assert done.stdout == "ABC"


def test_exec_passes_signals(three):
    process = subprocess.Popen(three.command("exec", "m1", "--", "sh", "-c", "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done"),
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 5
    assert process.stdout.read() == "got\n"


def test_exec_is_in_the_machines_control_groups(three):
    groups = {line.split(":", 2)[2] for line in three.sh("m1", "cat /proc/self/cgroup").splitlines() if ":name=systemd:" in line or line.startswith("0::")}
    assert all(not path.startswith("/..") for path in groups)


def test_exec_with_a_terminal_has_one(three):
    # script(1) gives our side a terminal, too
    done = three.faering("exec", "-t", "m1", "--", "sh", "-c", "tty; exit 3")
    assert done.stdout.strip() == "/dev/pts/0" and done.returncode == 3


# ---- init ----

def test_unknown_unit_is_404_with_a_reason(three):
    status, answer = three.init("m1", "POST", "units/nope.service/start")
    assert status == 404 and "nope.service" in answer["error"]["message"]


def test_drop_ins_of_etc_run_and_lib_apply_in_systemds_order(three):
    three.write("m3", "/etc/systemd/system/say.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo $A $B $C'\n")
    three.write("m3", "/usr/lib/systemd/system/say.service.d/10-a.conf", "[Service]\nEnvironment=A=lib B=lib C=lib\n")
    three.write("m3", "/run/systemd/system/say.service.d/20-b.conf", "[Service]\nEnvironment=B=run C=run\n")
    three.write("m3", "/etc/systemd/system/say.service.d/20-b.conf", "[Service]\nEnvironment=B=etc\n")
    assert three.init("m3", "POST", "reload")[0] == 200
    status, state = three.init("m3", "POST", "units/say.service/start")
    assert (status, state["active"], state["sub"]) == (200, "active", "exited")
    log = three.sh("m3", "curl -sS --unix-socket /run/faering/init.sock 'http://x/faering/v1/units/say.service/log?lines=5'")
    assert "lib etc lib" in log  # run's 20-b.conf is hidden by etc's


def test_unit_that_fails_says_why(three):
    three.write("m3", "/etc/systemd/system/bad.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 3'\n")
    three.init("m3", "POST", "reload")
    status, answer = three.init("m3", "POST", "units/bad.service/start")
    assert status == 500 and "bad.service" in answer["error"]["message"] and "exit-code" in answer["error"]["message"]


def test_condition_that_does_not_hold_passes_a_unit_over(three):
    three.write("m3", "/etc/systemd/system/if.service", "[Unit]\nConditionPathExists=/etc/if\n[Service]\nExecStart=/bin/sleep 100\n")
    three.init("m3", "POST", "reload")
    assert three.init("m3", "POST", "units/if.service/start")[1]["active"] == "inactive"
    three.write("m3", "/etc/if", "x")
    assert three.init("m3", "POST", "units/if.service/start")[1]["active"] == "active"
    assert three.init("m3", "POST", "units/if.service/stop")[1]["active"] == "inactive"


# ---- the cluster ----

def test_store_of_three_survives_a_pulled_plug(three):
    three.start_stores()
    three.sh("m1", "faering store set /before 1")
    assert three.sh("m3", "etcdctl get /before").strip() == "1"
    answer = urllib.request.urlopen(f"http://127.0.0.1:{three.port}/v2/keys/before", timeout=10)
    assert json.load(answer)["node"]["value"] == "1"

    three.pull_plug("m2")
    assert three.status()["m2"]["power"] == "off" and "plug" in three.status()["m2"]["why"]
    wait_for("the others write", lambda: three.run("m3", "faering", "store", "set", "/meanwhile", "2").returncode, lambda code: code == 0)
    three.sh("m1", "curl -sS http://10.66.0.13:2379/health")

    three.up("m2")
    drop_in = "/run/systemd/system/etcd2.service.d/20-cloudinit.conf"
    three.write("m2", drop_in, three.sh("m1", f"cat {drop_in}").replace("10.66.0.11:2380\"\nEnvironment=\"ETCD_LISTEN", "10.66.0.12:2380\"\nEnvironment=\"ETCD_LISTEN")
                .replace("LISTEN_PEER_URLS=http://10.66.0.11", "LISTEN_PEER_URLS=http://10.66.0.12")
                .replace("ADVERTISE_CLIENT_URLS=http://10.66.0.11", "ADVERTISE_CLIENT_URLS=http://10.66.0.12"))
    assert "faering" in three.sh("m2", "ls /var/lib") and three.sh("m2", "ls /var/lib/faering/store")
    three.init("m2", "POST", "reload")
    assert three.init("m2", "POST", "units/etcd2.service/start")[0] == 200
    three.wait_healthy("m2")
    wait_for("m2 has caught up", lambda: three.run("m2", "etcdctl", "get", "/meanwhile").stdout.strip(), lambda value: value == "2")


def test_store_runs_as_its_own_user_and_is_ended_when_it_hangs(tmp_path):
    """Also with data elsewhere that a run as root has left there, as an oar of a cloud-config may have it."""
    def main_pid() -> int:
        return machines.init("m1", "GET", "units/etcd2.service")[1]["mainPID"]

    with Machines(tmp_path, 1) as machines:
        machines.sh("m1", "mkdir -p /srv/etcd; touch /srv/etcd/spare")
        machines.write("m1", "/run/systemd/system/etcd2.service.d/30-data.conf",
                       "[Service]\nWatchdogSec=1s\nEnvironment=\"ETCD_DATA_DIR=/srv/etcd\"\n")
        machines.init("m1", "POST", "reload")
        assert machines.init("m1", "POST", "units/etcd2.service/restart")[0] == 200
        machines.wait_healthy("m1")
        first = main_pid()
        assert machines.sh("m1", f"stat -c %U /proc/{first}").strip() == "faering-store"
        assert "NoNewPrivs:\t1" in machines.sh("m1", f"cat /proc/{first}/status")
        assert set(machines.sh("m1", "stat -c %U /srv/etcd /srv/etcd/*").split()) == {"faering-store"}
        machines.sh("m1", "faering store set /kept 1")
        machines.sh("m1", f"kill -STOP {first}")
        wait_for("it is started again", main_pid, lambda pid: pid not in (0, first), 20)
        machines.wait_healthy("m1")
        assert machines.sh("m1", "faering store get /kept").strip() == "1"
        log = machines.sh("m1", "cat /run/faering/init/logs/faering-store.service.log")
        assert "it gave no sign of life within WatchdogSec=" in log
        assert "nothing here enforces the unit's sandbox: ProtectSystem= and the like" in log


def test_powered_off_machine_stops_its_units_in_order(three):
    for name, after in (("first", ""), ("second", "After=first.service\n")):
        three.write("m3", f"/etc/systemd/system/{name}.service",
                    f"[Unit]\n{after}[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sh -c 'sleep 0.2; echo {name} >> /var/order'\n")
    three.init("m3", "POST", "reload")
    for name in ("first", "second"):
        three.init("m3", "POST", f"units/{name}.service/start")
    three.ok("down", "m3")
    assert three.status()["m3"]["why"] == "powered off"
    three.up("m3")
    assert three.sh("m3", "cat /var/order").split() == ["second", "first"]


# ---- what is left ----

def test_killed_daemon_takes_its_machines_along_and_down_clears_the_rest(tmp_path):
    before = host_network()
    with Machines(tmp_path, 2) as machines:
        machines.start_stores()
        namespaces, key = machines.namespaces(), machines.group_key()
        pids = [machine["pid"] for machine in machines.status().values()]
        daemon = next(int(line.split()[0]) for line in machines.processes() if "faering-machines --dir" in line)
        os.kill(daemon, signal.SIGKILL)
        wait_for("machines are dead", lambda: [pid for pid in pids if Path(f"/proc/{pid}").exists()], lambda left: not left, 5)
        machines.ok("down")
        assert_nothing_left(machines, namespaces, key)
    assert host_network() == before


def test_up_after_a_killed_daemon_finds_the_disks(tmp_path):
    with Machines(tmp_path, 1) as machines:
        machines.sh("m1", "echo kept > /var/mark; cat /etc/machine-id > /var/id")
        daemon = next(int(line.split()[0]) for line in machines.processes() if "faering-machines --dir" in line)
        os.kill(daemon, signal.SIGKILL)
        machines.ok("up", "1")
        assert machines.sh("m1", "cat /var/mark").strip() == "kept"
        machines.sh("m1", "cmp /etc/machine-id /var/id")


def test_cloud_config_is_the_same_on_all_and_names_all(tmp_path):
    with Machines(tmp_path, 2) as machines:
        texts = {machines.sh(name, "cat /var/lib/faering/boot/user-data") for name in machines.names}
        assert len(texts) == 1
        assert "10.66.0.11=http://10.66.0.11:2380,10.66.0.12=http://10.66.0.12:2380\n" in texts.pop()


def test_given_cloud_config_reaches_the_machines(tmp_path):
    (tmp_path / "mine.yml").write_text("#cloud-config\nhostname: mine\n")
    with Machines(tmp_path, 1, cloud_config=tmp_path / "mine.yml") as machines:
        assert machines.sh("m1", "cat /var/lib/faering/boot/user-data") == "#cloud-config\nhostname: mine\n"


def test_machine_is_reached_at_once_after_power_on(three):
    # the others' tables still have its hardware address: it must be the same as before
    three.sh("m1", "curl -sS -m 5 http://10.66.0.13:9/ || true; grep -q 10.66.0.13 /proc/net/arp")
    before = three.sh("m3", "cat /sys/class/net/eth0/address")
    three.pull_plug("m3")
    three.up("m3")
    assert three.sh("m3", "cat /sys/class/net/eth0/address") == before
    assert three.run("m1", "curl", "-s", "-m", "2", "http://10.66.0.13:9/").returncode == 7  # refused, not timed out


def test_second_up_changes_nothing(three):
    before = three.status()
    three.ok("up", "3")
    after = three.status()
    assert {name: one["pid"] for name, one in before.items()} == {name: one["pid"] for name, one in after.items()}


def test_kept_disks_are_there_at_the_next_up(tmp_path):
    with Machines(tmp_path, 1) as machines:
        machines.sh("m1", "echo kept > /var/mark")
        machines.ok("down", "--keep-disks")
        assert sorted(path.name for path in machines.directory.iterdir()) == ["m1"]
        machines.ok("up", "1")
        assert machines.sh("m1", "cat /var/mark").strip() == "kept"


def test_interrupted_up_leaves_nothing(tmp_path, slow_programs):
    machines = Machines(tmp_path, programs=slow_programs)
    up = subprocess.Popen(machines.command("up", *machines.options, "3"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for("all three are starting", lambda: [one["power"] for one in machines.status().values()],
                 lambda powers: powers == ["starting"] * 3)
        namespaces, key = machines.namespaces(), machines.group_key()
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=20) == 130, up.stderr.read()
        assert_nothing_left(machines, namespaces, key)
    finally:
        up.kill()
        up.wait()
        machines.faering("down")


def test_killed_up_leaves_nothing(tmp_path, slow_programs):
    machines = Machines(tmp_path, programs=slow_programs)
    up = subprocess.Popen(machines.command("up", *machines.options, "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("both are starting", lambda: [one["power"] for one in machines.status().values()],
                 lambda powers: powers == ["starting"] * 2)
        namespaces, key = machines.namespaces(), machines.group_key()
        up.kill()
        up.wait()
        wait_for("all is removed", machines.directory.exists, lambda there: not there, 10)
        assert_nothing_left(machines, namespaces, key)
    finally:
        up.kill()
        up.wait()
        machines.faering("down")


def test_interrupted_up_of_more_leaves_those_that_were_there(tmp_path, slow_programs):
    with Machines(tmp_path, 1) as machines:
        slow = "usr/lib/systemd/system/slow.service"
        for path in (slow, "usr/lib/systemd/system/multi-user.target.wants/slow.service"):
            (machines.directory / "programs" / path).parent.mkdir(exist_ok=True)
            shutil.copy(slow_programs / path, machines.directory / "programs" / path, follow_symlinks=False)
        up = subprocess.Popen(machines.command("up", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for("m2 is starting", lambda: machines.status().get("m2", {}).get("power"), lambda power: power == "starting")
            up.send_signal(signal.SIGINT)
            assert up.wait(timeout=20) == 130
        finally:
            up.kill()
            up.wait()
        assert {name: one["power"] for name, one in machines.status().items()} == {"m1": "on"}
        assert not (machines.directory / "m2").exists()


def test_unit_that_fails_at_boot_is_told_by_up(tmp_path, three):
    programs = tmp_path / "programs"
    shutil.copytree(three.directory / "programs", programs, symlinks=True)
    add_wanted(programs, "broken.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 9'\n")
    machines = Machines(tmp_path, 1, programs=programs)
    try:
        done = machines.faering("up", *machines.options, "1")
        assert done.returncode == 1 and "broken.service" in done.stdout
    finally:
        machines.faering("down")


def test_directory_on_an_overlay_is_refused_with_the_way_out(tmp_path):
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work", f"{tmp_path}/merged"], check=True)
    try:
        done = subprocess.run([str(FAERING), "up", "--dir", f"{tmp_path}/merged/local", "1"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and "overlay" in done.stderr and "--dir" in done.stderr
        assert not (tmp_path / "merged/local").exists()
    finally:
        subprocess.run(["umount", f"{tmp_path}/merged"], check=True)


def test_status_without_machines_is_of_this_host(tmp_path):
    done = subprocess.run([str(FAERING), "status", "--dir", str(tmp_path / "none")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "no local machines" in done.stdout


def test_wrong_use_is_told(tmp_path):
    for arguments in (["up", "0"], ["up", "x1"], ["up", "--forward", "80"], ["down", "--plug"], ["exec", "m1"], ["status", "x"]):
        done = subprocess.run([str(FAERING), arguments[0], "--dir", str(tmp_path / "none"), *arguments[1:]], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and done.stderr, arguments
