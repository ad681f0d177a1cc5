"""Hosts with systemd as their first process, for the tests in this folder. Needs root and systemd-nspawn.

    with Hosts(tmp_path, 3) as hosts:              # made, and off
        hosts[0].write("/etc/hello", "world")      # files, before the first boot or later
        hosts.power_on()                           # all at once; waits until each has booted
        print(hosts[0].sh("systemctl is-active dbus"))

Each host has the files of this machine under its own (an overlay), an /etc in which nothing of this machine is enabled, an empty
/var, and the tested build as `meson install` puts it there. Each has a network of its own with an address (10.77.0.11 and so on)
on a switch that only they are on. The switch, the mounts and all processes live in namespaces of one keeper, which ends when the
test does, also when that is killed; control groups are removed at the end, and by the next Hosts if it could not be done.
"""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stores import BUILD

NET = "10.77.0"
SWITCH_ADDRESS = f"{NET}.1"
BOOT_SECONDS = 30
RUN_SECONDS = 60
CLONE_NEWNET = 0x40000000
GROUP_PREFIX = "faering-test-"

# What a minimal host has of this machine's /etc: accounts, libraries, names. No units, no generators' input.
ETC = ["alternatives", "bash.bashrc", "ca-certificates.conf", "dbus-1", "debian_version", "default/useradd", "group", "gshadow", "host.conf",
       "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "login.defs", "nsswitch.conf", "os-release", "pam.conf", "pam.d", "passwd",
       "profile", "protocols", "rpc", "security", "services", "shadow", "shells", "skel", "ssl"]
# Takes time at each boot, or does nothing here; systemd-sysctl would set what is this machine's.
MASKED = ["modprobe@configfs.service", "modprobe@dm_mod.service", "modprobe@fuse.service", "modprobe@loop.service", "systemd-remount-fs.service",
          "sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
          "systemd-sysctl.service", "systemd-tmpfiles-clean.timer", "systemd-user-sessions.service",
          "console-getty.service", "dev-hugepages.mount", "getty.target", "getty-static.service", "kmod-static-nodes.service", "ldconfig.service",
          "packagekit.service", "polkit.service", "systemd-firstboot.service", "systemd-journal-catalog-update.service", "systemd-journal-flush.service",
          "systemd-logind.service", "systemd-machine-id-commit.service", "systemd-random-seed.service", "systemd-sysusers.service",
          "systemd-update-done.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "var-lib-machines.mount"]
HIDDEN = ["boot", "home", "media", "mnt", "opt", "root", "srv"]  # folders of this machine that are empty in a host
# Where control groups are of the old kind nspawn mounts them read-only; writable, systemd and container engines can use them.
# systemd 256 and later wants to be told that it may run there; in a container its own command line counts as the kernel's.
FIRST_PROCESS = """#!/bin/sh
for c in /sys/fs/cgroup /sys/fs/cgroup/*; do [ -L "$c" ] || mount -o remount,bind,rw "$c" 2>/dev/null; done
exec /lib/systemd/systemd SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
"""
# Reaps what is left to it, and ends with whoever holds the other end of its standard input; its namespaces end with it.
KEEPER = "import signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); print('ready', flush=True); sys.stdin.read()"
OLD_PROGRAMS = ["etcdctl", "fleetctl", "docker", "coreos-cloudinit"]
OLD_UNITS = {"etcd.service": "faering-store.service", "etcd2.service": "faering-store.service", "etcd.socket": "faering-store.socket",
             "etcd2.socket": "faering-store.socket", "fleet.service": "faering-fleet.service", "docker.service": "faering-containers.service"}


def why_not() -> str:
    """Why no host can be made here; empty: one can."""
    if os.getuid() != 0:
        return "needs root: makes namespaces"
    missing = [name for name in ("systemd-nspawn", "dbus-daemon", "ip", "nft", "meson") if not shutil.which(name)]
    if not Path("/lib/systemd/systemd").exists():
        missing.append("systemd")
    return f"needs hosts with systemd; not installed: {', '.join(missing)}" if missing else ""


needs_hosts = pytest.mark.skipif(bool(why_not()), reason=why_not())


def wait_until(what: str, condition: Callable[[], object], seconds: float = RUN_SECONDS, step: float = 0.05) -> object:
    """What `condition` says once it is true."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(step)


def run(*command: str, **more: object) -> subprocess.CompletedProcess:
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, **more)
    assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
    return done


# ---- control groups ----

def group_folders() -> list[Path]:
    """The tops of this machine's hierarchies."""
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.procs").exists():
        return [top]
    return [one for one in top.iterdir() if not one.is_symlink() and (one / "cgroup.procs").exists()]


def make_groups(name: str) -> list[Path]:
    made = []
    for top in group_folders():
        folder = top / name
        folder.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):  # of the old kind; fresh ones have none, and take no process
            if (top / "tasks").exists() and (folder / file).exists():
                (folder / file).write_text((top / file).read_text())
        made.append(folder)
    return made


def remove_groups(name: str) -> None:
    """The last process of a group ends a moment after its namespace."""
    for top in group_folders():
        def gone(folder: Path = top / name) -> bool:
            for path, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
            return not folder.exists()
        wait_until(f"the control group {top / name} goes", gone, 10, 0.02)


def remove_groups_of_the_dead() -> None:
    for top in group_folders():
        for folder in top.glob(f"{GROUP_PREFIX}*"):
            if not Path("/proc", folder.name.removeprefix(GROUP_PREFIX).split("-")[0]).exists():
                with contextlib.suppress(AssertionError):
                    remove_groups(folder.name)


# ---- the files of all hosts ----

def make_opaque(folder: Path) -> Path:
    """An overlay shows nothing of the layers below it there."""
    folder.mkdir(parents=True, exist_ok=True)
    os.setxattr(folder, "trusted.overlay.opaque", b"y")
    return folder


def copy_etc(etc: Path) -> None:
    for name in ETC:
        source, target = Path("/etc", name), etc / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
            if name == "ssl":
                shutil.rmtree(target / "private", ignore_errors=True)
        elif source.exists():
            shutil.copy2(source, target, follow_symlinks=False)
            os.chown(target, source.lstat().st_uid, source.lstat().st_gid, follow_symlinks=False)


def make_etc(etc: Path, names: str) -> None:
    copy_etc(etc)
    units = etc / "systemd/system"
    units.mkdir(parents=True)
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    (etc / "systemd/journald.conf").write_text("[Journal]\nStorage=volatile\nRateLimitBurst=0\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{names}")
    for name in ("environment", "fstab", "resolv.conf"):
        (etc / name).touch()


def install_build(base: Path) -> None:
    """As `meson install` does it; with the old names, also where the build was configured without."""
    run("meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir", str(base))
    options = {one["name"]: one["value"] for one in json.loads(run("meson", "introspect", "--buildoptions", str(BUILD)).stdout)}
    prefix = base / options["prefix"].lstrip("/")
    if options["old_names"]:
        return
    for name in OLD_PROGRAMS:
        (prefix / options["bindir"] / name).symlink_to("faering")
    (prefix / options["bindir"] / "etcd").symlink_to(f"../{options['sbindir']}/faering-store")
    for name, unit in OLD_UNITS.items():
        (prefix / "lib/systemd/system" / name).symlink_to(unit)


def make_base(base: Path, names: str) -> None:
    """The layer between this machine's files and a host's own."""
    for name in HIDDEN:
        make_opaque(base / name).chmod(0o700 if name == "root" else 0o755)
    make_opaque(base / "var")
    make_etc(make_opaque(base / "etc"), names)
    install_build(base)
    first = base / "usr/lib/faering-test/first-process"
    first.parent.mkdir(parents=True)
    first.write_text(FIRST_PROCESS)
    first.chmod(0o755)


# ---- one host ----

class Host:
    """`address` is its own; `root` its files, also while it is off."""

    def __init__(self, hosts: "Hosts", number: int, binds: dict[str, Path]):
        self.hosts, self.number, self.binds = hosts, number, binds
        self.name, self.address = f"h{number}", f"{NET}.{10 + number}"
        self.id = uuid.uuid4().hex
        self.disk = hosts.folder / self.name
        self.group = f"{GROUP_PREFIX}{os.getpid()}-{self.name}"
        self.root = hosts.outside(self.disk / "root")
        self.log = hosts.folder / f"{self.name}.console"
        self.process: subprocess.Popen | None = None
        self.leader = 0  # its first process, by this machine's number
        self.make()

    def make(self) -> None:
        for name in ("upper", "work", "root", "var"):
            (self.hosts.outside(self.disk) / name).mkdir(parents=True)
        inside = self.hosts.inside
        options = f"lowerdir={self.hosts.base}:/,upperdir={self.disk}/upper,workdir={self.disk}/work"
        run(*inside("mount", "-t", "overlay", "overlay", "-o", options, f"{self.disk}/root"))
        run(*inside("mount", "--bind", f"{self.disk}/var", f"{self.disk}/root/var"))
        run(*inside("sh", "-ec", f"""
            ip netns add {self.name}
            ip link add v{self.name} type veth peer name host0 netns {self.name}
            ip link set v{self.name} master br0 up
            ip -n {self.name} addr add {self.address}/24 dev host0
            ip -n {self.name} link set lo up
            ip -n {self.name} link set host0 up
            ip -n {self.name} route add default via {SWITCH_ADDRESS}
            """))
        self.write("/etc/machine-id", self.id + "\n")
        self.write("/etc/hostname", self.name + "\n")

    # ---- files ----

    def path(self, path: str) -> Path:
        """Of a file in the host, seen from here."""
        root = Path(f"/proc/{self.leader}/root") if self.leader else self.root
        return root / path.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def read(self, path: str) -> str:
        return self.path(path).read_text()

    def enable(self, *units: str) -> None:
        """As `systemctl enable` does, also while the host is off."""
        run(*self.hosts.inside("systemctl", f"--root={self.disk}/root", "enable", *units))

    # ---- power ----

    def power_on(self, wait: bool = True) -> None:
        assert not self.leader, f"{self.name} is on already"
        groups = make_groups(self.group)
        binds = [f"--bind={source}:{target}" for target, source in self.binds.items()]
        # A group of its own first: otherwise all hosts share the caller's.
        script = "".join(f"echo $$ >{group}/cgroup.procs; " for group in groups) + 'exec "$@"'
        command = self.hosts.inside(
            "sh", "-ec", script, "sh", "systemd-nspawn", "--quiet", "-D", f"{self.disk}/root", "--register=no", "--keep-unit",
            f"--machine={self.name}", f"--network-namespace-path=/run/netns/{self.name}", "--capability=all",
            "--system-call-filter=@keyring bpf perf_event_open @mount", "--resolv-conf=off", "--link-journal=no", "--timezone=off",
            "--kill-signal=SIGRTMIN+3", "--console=read-only", *binds, "/usr/lib/faering-test/first-process")
        env = {**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "SYSTEMD_NSPAWN_LOCK": "0",
               **({"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"} if self.hosts.unified else {})}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)
        self.leader = int(wait_until(f"{self.name} has a first process", self.find_leader, BOOT_SECONDS, 0.01))
        if wait:
            self.wait_booted()

    def find_leader(self) -> int:
        """The child of nspawn, which is the child of nsenter, once it has become systemd."""
        assert self.process.poll() is None, f"{self.name} did not start:\n{self.console()}"
        found = self.process.pid
        for _ in range(2):
            children = Path(f"/proc/{found}/task/{found}/children").read_text().split()
            if not children:
                return 0
            found = int(children[0])
        try:
            return found if Path(f"/proc/{found}/comm").read_text() == "systemd\n" else 0
        except FileNotFoundError:
            return 0

    def wait_booted(self) -> None:
        """Until systemd has nothing left to start; a failed unit shows by `failed_units()`."""
        def booted() -> bool:
            assert self.process.poll() is None, f"{self.name} ended while it booted:\n{self.console()}"
            return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")
        try:
            wait_until(f"{self.name} has booted", booted, BOOT_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.run('systemctl', 'list-jobs').stdout}{self.console()}") from error

    def ended(self) -> None:
        self.process.wait(timeout=RUN_SECONDS)
        self.process, self.leader = None, 0

    def pull_plug(self) -> None:
        """All its processes end at once. What was not synced stays in this machine's memory: the disk forgets nothing."""
        os.kill(self.leader, signal.SIGKILL)
        self.ended()

    def power_off(self) -> None:
        """In order: units are stopped."""
        os.kill(self.leader, signal.SIGRTMIN + 4)
        self.ended()

    def reboot(self) -> None:
        self.power_off()
        self.power_on()

    # ---- network ----

    def cut(self) -> None:
        """Its cable is out."""
        run(*self.hosts.inside("ip", "link", "set", f"v{self.name}", "down"))

    def heal(self) -> None:
        run(*self.hosts.inside("ip", "link", "set", f"v{self.name}", "up"))

    def nft(self, rules: str) -> None:
        run(*self.hosts.inside("ip", "netns", "exec", self.name, "nft", "-f", "-"), input=rules)

    def deaf_to(self, *others: "Host") -> None:
        """Nothing of what these send arrives; until hears_all()."""
        drops = "\n".join(f"ip saddr {other.address} drop" for other in others)
        self.nft(f"table inet faering-test {{\nchain arriving {{\ntype filter hook input priority -200;\n{drops}\n}}\n}}\n")

    def hears_all(self) -> None:
        self.nft("table inet faering-test\ndelete table inet faering-test\n")

    # ---- inside ----

    def command(self, *command: str) -> list[str]:
        """For subprocess: the command, inside, in the group of the host's first process."""
        enter = "".join(f"echo $$ >{group}/cgroup.procs; " for group in self.groups()) + 'exec "$@"'
        return ["sh", "-c", enter, "sh", "nsenter", "-t", str(self.leader), "-a", "-r", "-w", "env", "-i", "TERM=dumb", "HOME=/root",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *command]

    def groups(self) -> list[Path]:
        """Where a process enters: that of systemd itself, so that a namespace of groups is entered, too."""
        found = []
        for top in group_folders():
            deepest = next((one for one in (top / self.group / "payload/init.scope", top / self.group / "init.scope", top / self.group)
                            if one.exists()), None)
            found += [deepest] if deepest else []
        return found

    def run(self, *command: str, timeout: float = RUN_SECONDS, **more: object) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*command), capture_output=True, text=True, timeout=timeout, **more)

    def ok(self, *command: str) -> str:
        """What it prints; it must succeed."""
        done = self.run(*command)
        assert done.returncode == 0, (self.name, command, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def sh(self, script: str) -> str:
        return self.ok("sh", "-ec", script)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Of `systemctl show`; an empty unit is systemd itself."""
        words = [word for name in properties for word in ("-p", name)]
        return dict(line.split("=", 1) for line in self.ok("systemctl", "show", *([unit] if unit else []), *words).splitlines())

    def outside_pid(self, pid: int) -> int:
        """The number that this machine has for a process of the host."""
        own = os.readlink(f"/proc/{self.leader}/ns/pid")
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and os.readlink(folder / "ns/pid") == own:
                    line = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("NSpid:"))
                    if int(line.split()[-1]) == pid:
                        return int(folder.name)
        raise ProcessLookupError(f"{self.name} has no process {pid}")

    def is_active(self, unit: str) -> bool:
        return self.show(unit, "ActiveState") == {"ActiveState": "active"}

    def failed_units(self) -> str:
        return self.ok("systemctl", "list-units", "--failed", "--plain", "--no-legend")

    def journal(self, unit: str, lines: int = 60) -> str:
        return self.run("journalctl", "-u", unit, "-n", str(lines), "--no-pager", "-o", "cat").stdout

    def console(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""


# ---- all of them ----

class Hosts:
    """A context of `count` hosts below `folder`; `binds`: path in each host, and what of this machine is seen there. `unified`: with
    version 2 of control groups, also where this machine has version 1 (then without controllers, as those are taken)."""

    def __init__(self, folder: Path, count: int = 0, *, binds: dict[str, Path] | None = None, unified: bool = False):
        self.folder = folder / "hosts"
        self.base = self.folder / "base"
        self.count, self.binds, self.unified = count, binds or {}, unified
        self.hosts: list[Host] = []
        self.keeper: subprocess.Popen | None = None
        self.keeper_id = 0  # of the process in the namespaces, by this machine's number

    def __enter__(self) -> "Hosts":
        try:
            remove_groups_of_the_dead()
            self.folder.mkdir(parents=True)
            self.start_keeper()
            make_base(self.outside(self.base), "".join(f"{NET}.{10 + n} h{n}\n" for n in range(1, 21)))
            run(*self.inside("systemd-sysusers", f"--root={self.base}"))  # as a package does it for the users of its programs
            for _ in range(self.count):
                self.add()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_keeper(self) -> None:
        self.keeper = subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
                                        "--propagation", "private", sys.executable, "-c", KEEPER], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.keeper.stdout.readline() == "ready\n"
        self.keeper_id = int(Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text())
        # An own /run: for the names of networks, and what nspawn keeps there. An upper layer may not lie on an overlay, nor one
        # lower layer in another.
        script = f"""
            mount -t tmpfs tmpfs /run
            [ "$(stat -f -c %T {self.folder})" != overlayfs ] || mount -t tmpfs tmpfs {self.folder}
            mkdir -p /run/netns {self.base}
            mount -t tmpfs tmpfs {self.base}
            ip link set lo up
            ip link add br0 type bridge
            ip addr add {SWITCH_ADDRESS}/24 dev br0
            ip link set br0 up
            """
        run(*self.inside("sh", "-ec", script))

    def outside(self, path: Path) -> Path:
        """What the keeper's namespace has at `path`, seen from here."""
        return Path(f"/proc/{self.keeper_id}/root{path}")

    def inside(self, *command: str) -> list[str]:
        """For subprocess: the command in the keeper's namespaces, on the switch."""
        return ["nsenter", "-t", str(self.keeper_id), "-m", "-n", "-p", "-i", "-u", "-r", "-w", "--", *command]

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """The calling thread is on the switch, at SWITCH_ADDRESS: what it connects and binds is there, and stays there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as before, open(f"/proc/{self.keeper_id}/ns/net") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(before.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    def add(self, binds: dict[str, Path] | None = None) -> Host:
        """One more, off."""
        host = Host(self, len(self.hosts) + 1, {**self.binds, **(binds or {})})
        self.hosts.append(host)
        return host

    def power_on(self) -> None:
        """All that are off, side by side."""
        off = [host for host in self.hosts if not host.leader]
        for host in off:
            host.power_on(wait=False)
        for host in off:
            host.wait_booted()

    def part(self, side: list[Host], other: list[Host]) -> None:
        """No word between the two sides, either way, until heal()."""
        for host in side:
            host.deaf_to(*other)
        for host in other:
            host.deaf_to(*side)

    def heal(self) -> None:
        for host in self.hosts:
            host.hears_all()

    def __getitem__(self, at: int) -> Host:
        return self.hosts[at]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def __len__(self) -> int:
        return len(self.hosts)

    def __exit__(self, *_: object) -> None:
        """The namespaces' first process ends, and the kernel ends with it all that is in them."""
        if self.keeper:
            self.keeper.kill()
            self.keeper.wait()
            self.keeper.stdin.close()
            self.keeper.stdout.close()
        for host in self.hosts:
            if host.process:
                host.process.wait(timeout=RUN_SECONDS)
            remove_groups(host.group)
        shutil.rmtree(self.folder, ignore_errors=True)
