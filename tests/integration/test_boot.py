"""faering-boot on a whole machine: a mount namespace with its own /etc, /run and /var, a host name of its own, and something
that answers as faering-init does on its socket. All of it goes with the namespace's last process."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stores import BUILD

ROOT = Path(__file__).resolve().parent.parent.parent
BOOT = BUILD / "src/boot/faering-boot"
CLI = BUILD / "src/cli/faering"
WAIT_SECONDS = 60

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root: makes namespaces")


class Machine:
    """What happened in the namespace."""

    def __init__(self, code: int, output: str, requests: list[str], files: dict[str, str], hostname: str):
        self.code, self.output, self.requests, self.files, self.hostname = code, output, requests, files, hostname


def run_inside(user_data: str, *, answers: dict[str, tuple[int, object]] | None = None, init: bool = True, env: dict[str, str] | None = None,
               command: list[str] | None = None, show: list[str] | None = None, until_ready: list[str] | None = None) -> Machine:
    order = {"user_data": user_data, "answers": answers or {}, "init": init, "show": show or [], "until_ready": until_ready or [],
             "command": command or [str(BOOT), "-from-file", "/var/lib/faering/boot/user-data"]}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("COREOS_")}
    done = subprocess.run(["unshare", "--mount", "--uts", "--propagation", "private", sys.executable,
                           str(ROOT / "tests/integration/boot_machine.py")], input=json.dumps(order), env={**clean, **(env or {})},
                          capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert done.returncode == 0, done.stderr
    return Machine(**json.loads(done.stdout))


def test_the_example_makes_a_member_of_the_cluster() -> None:
    machine = run_inside((ROOT / "data/examples/cluster.yml").read_text(), env={"COREOS_PRIVATE_IPV4": "10.66.0.12"},
                         show=["/etc/faering-release", "/etc/environment", "/run/systemd/system/etcd2.service.d/20-cloudinit.conf",
                               "/var/lib/faering/boot/state.json"])
    assert machine.code == 0, machine.output
    assert machine.requests == ["/faering/v1/reload", "/faering/v1/units/etcd2.service/start?wait=0", "/faering/v1/units/docker.service/start?wait=0",
                                "/faering/v1/units/fleet.service/start?wait=0"]
    assert "ADDRESS=10.66.0.12\n" in machine.files["/etc/faering-release"]
    assert "COREOS_PRIVATE_IPV4=10.66.0.12\n" in machine.files["/etc/environment"]
    assert 'Environment="ETCD_NAME=10.66.0.12"\n' in machine.files["/run/systemd/system/etcd2.service.d/20-cloudinit.conf"]
    state = json.loads(machine.files["/var/lib/faering/boot/state.json"])
    assert state["outcome"] == "applied" and state["unitManager"] == "faering-init" and state["done"] == state["steps"]


def test_address_comes_from_the_environment_file_on_later_boots() -> None:
    machine = run_inside("#cloud-config\nwrite_files:\n  - {path: /etc/environment, content: \"COREOS_PRIVATE_IPV4=10.9.9.9\\n\"}\n",
                         command=["/bin/sh", "-c", f"{BOOT} -from-file /var/lib/faering/boot/user-data && printf '#cloud-config\\n"
                                                   f"write_files: [{{path: /etc/a, content: $private_ipv4}}]\\n' >/run/two && "
                                                   f"{BOOT} -from-file /run/two"], show=["/etc/a"])
    # the shell has put nothing in: it knows no $private_ipv4 inside of single quotes
    assert machine.code == 0, machine.output
    assert machine.files["/etc/a"] == "10.9.9.9"


def test_unit_that_is_missing_ends_it() -> None:
    machine = run_inside("#cloud-config\nwrite_files: [{path: /etc/before, content: done}]\ncoreos:\n  units:\n"
                         "    - {name: no.service, command: start}\n    - {name: docker.service, command: start}\n",
                         answers={"/faering/v1/units/no.service/start?wait=0": (404, {"error": {"code": 404, "message": "no such unit"}})},
                         show=["/etc/before", "/var/lib/faering/boot/state.json"])
    assert machine.code == 1
    assert machine.files["/etc/before"] == "done"
    assert machine.requests == ["/faering/v1/units/no.service/start?wait=0"]
    assert "line 5: cannot start no.service: Unit no.service not found." in machine.output
    assert json.loads(machine.files["/var/lib/faering/boot/state.json"])["outcome"] == "failed"


def test_unit_that_fails_does_not_end_it() -> None:
    machine = run_inside("#cloud-config\ncoreos:\n  units:\n    - {name: bad.service, command: start}\n    - {name: b@x.service, command: reload}\n",
                         answers={"/faering/v1/units/bad.service": (200, {"active": "failed", "result": "exit-code"})})
    assert machine.code == 0, machine.output
    assert "start bad.service: failed: exit-code" in machine.output
    assert machine.requests == ["/faering/v1/units/bad.service/start?wait=0", "/faering/v1/units/b%40x.service/reload?wait=0"]


def test_unit_that_waits_for_the_boot_does_not_hold_it_up() -> None:
    machine = run_inside("#cloud-config\ncoreos:\n  units:\n    - {name: slow.service, command: start}\n    - {name: b.service, command: start}\n",
                         until_ready=["/faering/v1/units/slow.service"], show=["/var/lib/faering/boot/state.json"])
    assert machine.code == 0, machine.output
    assert machine.requests[:3] == ["/faering/v1/units/slow.service/start?wait=0", "/faering/v1/units/b.service/start?wait=0", "READY"]
    assert json.loads(machine.files["/var/lib/faering/boot/state.json"])["units"] == [
        {"unit": "slow.service", "action": "start", "result": "done"}, {"unit": "b.service", "action": "start", "result": "done"}]


def test_note_of_many_units_is_cut() -> None:
    units = "".join(f"    - {{name: {'u' * 200}{n}.service, command: start}}\n" for n in range(400))
    machine = run_inside(f"#cloud-config\ncoreos:\n  units:\n{units}", show=["/var/lib/faering/boot/state.json"])
    assert machine.code == 0, machine.output[-500:]
    state = json.loads(machine.files["/var/lib/faering/boot/state.json"])
    assert state["outcome"] == "applied" and state["done"] == state["steps"] > 400 and 100 < len(state["units"]) < 400


def test_host_name_and_script() -> None:
    machine = run_inside("#cloud-config\nhostname: elsewhere\nmanage_etc_hosts: localhost\n", show=["/etc/hosts", "/etc/hostname"])
    assert machine.hostname == "elsewhere"
    assert machine.files == {"/etc/hosts": "127.0.0.1 elsewhere\n", "/etc/hostname": "elsewhere\n"}
    machine = run_inside("#!/bin/sh\ntrue\n")
    assert machine.code == 0 and machine.requests[0] == "/faering/v1/reload"
    assert machine.requests[1].startswith("/faering/v1/units/coreos-cloudinit-") and machine.requests[1].endswith("/start?wait=0")


USERS = """#cloud-config
ssh_authorized_keys: [ssh-rsa CORE]
users:
  - {name: core, shell: /bin/sh}
  - name: elroy
    passwd: "$6$abc$0123456789"
    gecos: 'Elroy "E" J'
    homedir: /home/other
    primary-group: games
    groups: [disk]
    system: true
    no-log-init: true
    shell: /bin/sh
    ssh-authorized-keys: [" ssh-rsa ELROY "]
  - {name: homeless, no-create-home: true, no-user-group: true}
write_files:
  - {path: /home/other/tool, content: x, owner: "elroy:games", permissions: "4750"}
"""


def test_users() -> None:
    machine = run_inside(USERS, show=["/etc/passwd", "/etc/shadow", "/etc/group", "/home/other/.ssh/authorized_keys", "/home/core/.ssh/authorized_keys"],
                         command=["/bin/sh", "-c", f"{BOOT} -from-file /var/lib/faering/boot/user-data && stat -c '%a %U %G' /home/other/tool && "
                                                   f"{BOOT} -from-file /var/lib/faering/boot/user-data"])
    assert machine.code == 0, machine.output
    assert 'Elroy "E" J:/home/other:/bin/sh\n' in machine.files["/etc/passwd"] and "elroy:$6$abc$0123456789:" in machine.files["/etc/shadow"]
    assert "homeless:*:" in machine.files["/etc/shadow"] and "\nhomeless:" not in machine.files["/etc/group"]
    assert machine.files["/home/other/.ssh/authorized_keys"] == "ssh-rsa ELROY\n"
    assert machine.files["/home/core/.ssh/authorized_keys"] == "ssh-rsa CORE\n"
    assert "\n4750 elroy games\n" in machine.output
    assert "$6$" not in machine.output
    assert machine.output.rstrip().endswith("nothing had to be changed: the machine is so already")


def test_plan_with_users_changes_nothing() -> None:
    machine = run_inside(USERS, show=["/etc/passwd"], command=[str(CLI), "boot", "plan", "/var/lib/faering/boot/user-data"])
    assert machine.code == 0, machine.output
    assert "have the user elroy, with a password\n" in machine.output and "write /home/other/tool" in machine.output
    assert "elroy" not in machine.files["/etc/passwd"] and "$6$" not in machine.output


def test_password_is_in_no_process_list() -> None:
    """chpasswd is a program of the test's own here, which says with what it was called."""
    machine = run_inside("#cloud-config\nusers: [{name: a, passwd: $6$secret}]\n", show=["/run/called"],
                         command=["/bin/sh", "-c", "printf '#!/bin/sh\\necho \"$0 $*\" >>/run/called; cat >>/run/called\\n' >/run/fake && "
                                                   "chmod +x /run/fake && mount --bind /run/fake /usr/sbin/chpasswd && "
                                                   "mount --bind /run/fake /usr/sbin/useradd && "
                                                   f"{BOOT} -from-file /var/lib/faering/boot/user-data"])
    assert machine.code == 0, machine.output
    assert machine.files["/run/called"] == "/usr/sbin/useradd --password * --create-home a\n/usr/sbin/chpasswd -e\na:$6$secret\n"


def test_error_before_the_first_change_changes_nothing() -> None:
    machine = run_inside("#cloud-config\nhostname: h\nwrite_files:\n  - {path: /etc/a, content: x}\n  - {path: /etc/b, encoding: b64, content: '@'}\n",
                         show=["/etc/a"])
    assert machine.code == 1 and machine.requests == [] and machine.files == {} and machine.hostname != "h"
    assert "nothing was changed: line 5: cannot make the content of /etc/b" in machine.output


def test_without_a_unit_manager_units_are_only_written() -> None:
    machine = run_inside("#cloud-config\ncoreos:\n  units: [{name: a.service, enable: true, command: start, content: \"[Install]\\n"
                         "WantedBy=multi-user.target\\n\"}]\n", init=False, show=["/etc/systemd/system/multi-user.target.wants/a.service"])
    assert machine.code == 0, machine.output
    assert "start a.service: left out, no unit manager runs there" in machine.output
    assert "WantedBy" in machine.files["/etc/systemd/system/multi-user.target.wants/a.service"]


def test_flags(tmp_path: Path) -> None:
    def boot(*flags: str) -> subprocess.CompletedProcess:
        return subprocess.run([BOOT, *flags], capture_output=True, text=True, timeout=WAIT_SECONDS)

    assert boot().returncode == 2
    assert "did you mean -validate?" in boot("-valdate").stderr
    assert boot("-oem", "none-such").returncode == 2
    assert "debian, packet, vmware" in boot("-convert-netconf", "other", "-from-file", "x").stderr
    missing = boot("-from-file", str(tmp_path / "none"), "-root", str(tmp_path))
    assert missing.returncode == 1 and "No such file" in missing.stderr
    link = tmp_path / "coreos-cloudinit"
    link.symlink_to(CLI)
    named = subprocess.run([link, "-version"], capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert named.returncode == 0 and named.stdout.startswith("coreos-cloudinit ")


def test_verbs(tmp_path: Path) -> None:
    example = ROOT / "data/examples/cluster.yml"

    def faering(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([CLI, "boot", *arguments], capture_output=True, text=True, timeout=WAIT_SECONDS)

    assert faering("validate", str(example)).stdout == "" and faering("validate", str(example)).returncode == 0
    bad = tmp_path / "bad"
    bad.write_text("#cloud-config\nhostnam: x\n")
    assert faering("validate", str(bad)).stdout == 'line 2, column 1: warning: unrecognized key "hostnam"; did you mean "hostname"?\n'
    assert faering("validate", str(bad)).returncode == 1
    steps = json.loads(faering("plan", "-o", "json", "--root", str(tmp_path), str(example)).stdout)["steps"]
    assert {**steps[-1], "line": 0, "same": False} == {"step": "command", "line": 0, "unit": "fleet.service", "action": "start", "same": False}
    assert faering("status", "--root", str(tmp_path)).stdout == "nothing was applied yet\n"
    assert faering("apply", "--root", str(tmp_path), str(example)).returncode == 0
    assert faering("status", "--root", str(tmp_path)).stdout.startswith("outcome  applied\n")
    (tmp_path / "etc/motd").write_text("other\n")
    plan = faering("plan", "--root", str(tmp_path), str(example)).stdout
    assert plan.startswith("write /etc/motd") and "\n  - other\n  + This is " in plan and "faering-release" not in plan
    assert (tmp_path / "etc/motd").read_text() == "other\n"
    assert faering("apply", "--root", str(tmp_path), str(example)).returncode == 0
    assert faering("plan", "--root", str(tmp_path), str(example)).stdout.endswith("nothing else would be changed: the machine is so already\n")
    assert "nothing had to be changed" in faering("apply", "--root", str(tmp_path), str(example)).stdout
    assert json.loads(faering("status", "-o", "json", "--root", str(tmp_path)).stdout)["changed"] == 0
    assert faering("plna").returncode == 2


@pytest.mark.parametrize("text,why", [
    ("hostname: a\nhostname: b\n", 'line 2, column 1: warning: key "hostname" stands here and again below'),
    ("hostnam: a\n", 'did you mean "hostname"?'),
    ("hostname: [a]\n", "write one text"),
    ("coreos: {etcd2: {name: http://$public_ipv6:2379}}\n", "line 2: $public_ipv6 is used but not known"),
    ("coreos: {etcd2: {discovery: 'http://127.0.0.1:1/x'}}\n", "the discovery URL does not answer"),
])
def test_strict(tmp_path: Path, text: str, why: str) -> None:
    user_data = tmp_path / "user-data"
    user_data.write_text("#cloud-config\n" + text)
    env = {key: value for key, value in os.environ.items() if not key.startswith("COREOS_")}

    def boot(*flags: str) -> subprocess.CompletedProcess:
        return subprocess.run([BOOT, "-from-file", user_data, "-root", tmp_path, *flags], env=env, capture_output=True, text=True,
                              timeout=WAIT_SECONDS)

    strict = boot("-strict")
    assert strict.returncode == 1 and why in strict.stderr and "nothing was changed" in strict.stderr
    assert not (tmp_path / "etc").exists()
    assert boot().returncode == 0
