"""Local machines made by `faering up` of the built programs, for the tests in this folder. Needs root."""
import json
import os
import shlex
import subprocess
from pathlib import Path

from fleets import wait_for
from stores import BUILD

FAERING = BUILD / "src/cli/faering"
RUN_SECONDS = 60


class Machines:
    """A context of `count` machines below `folder`, which removes them all and shows that nothing is left."""

    def __init__(self, folder: Path, count: int = 3, *, cloud_config: Path | None = None, programs: Path | None = None,
                 forwards: tuple[str, ...] = ()):
        self.directory = folder / "local"
        self.count = count
        self.options = [*(["--cloud-config", str(cloud_config)] if cloud_config else []),
                        *(["--programs", str(programs)] if programs else []),
                        *(word for one in forwards for word in ("--forward", one))]
        self.names = [f"m{i + 1}" for i in range(count)]

    def __enter__(self) -> "Machines":
        try:
            self.ok("up", *self.options, str(self.count))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.faering("down")

    # ---- the command line ----

    def faering(self, verb: str, *arguments: str, timeout: float = RUN_SECONDS) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(verb, *arguments), capture_output=True, text=True, timeout=timeout)

    def command(self, verb: str, *arguments: str) -> list[str]:
        return [str(FAERING), verb, "--dir", str(self.directory), *arguments]

    def ok(self, verb: str, *arguments: str) -> str:
        done = self.faering(verb, *arguments)
        assert done.returncode == 0, (verb, arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def status(self) -> dict[str, dict]:
        return {machine["name"]: machine for machine in json.loads(self.ok("status", "-o", "json"))["machines"]}

    def run(self, machine: str, *command: str) -> subprocess.CompletedProcess:
        return self.faering("exec", machine, "--", *command)

    def sh(self, machine: str, script: str) -> str:
        """What a shell script prints in the machine; it must succeed."""
        done = self.run(machine, "sh", "-ec", script)
        assert done.returncode == 0, (machine, script, done.stdout, done.stderr, self.console(machine))
        return done.stdout

    def up(self, *machines: str) -> None:
        self.ok("up", *machines)

    def pull_plug(self, machine: str) -> None:
        self.ok("down", "--plug", machine)

    def console(self, machine: str) -> str:
        path = self.directory / machine / "console.log"
        return path.read_text() if path.exists() else ""

    # ---- the machine's init ----

    def init(self, machine: str, method: str, path: str) -> tuple[int, dict]:
        """Status and JSON of a call to the init API, `path` below /faering/v1/."""
        text = self.sh(machine, f"curl -sS -X {method} --unix-socket /run/faering/init.sock -w '\\n%{{http_code}}' "
                                + shlex.quote(f"http://localhost/faering/v1/{path}"))
        body, _, status = text.rpartition("\n")
        return int(status), json.loads(body)

    def write(self, machine: str, path: str, text: str) -> None:
        self.sh(machine, f"mkdir -p {shlex.quote(os.path.dirname(path))}; printf %s {shlex.quote(text)} > {shlex.quote(path)}")

    def start_stores(self) -> None:
        """A store on every machine, as one cluster: what a cloud-config would write, without one."""
        cluster = ",".join(f"{name}=http://10.66.0.{11 + i}:2380" for i, name in enumerate(self.names))
        for i, name in enumerate(self.names):
            address = f"10.66.0.{11 + i}"
            self.write(name, "/run/systemd/system/etcd2.service.d/20-cloudinit.conf", "[Service]\n" + "".join(
                f"Environment=\"ETCD_{key}={value}\"\n" for key, value in {
                    "NAME": "%H", "INITIAL_CLUSTER": cluster, "INITIAL_ADVERTISE_PEER_URLS": f"http://{address}:2380",
                    "LISTEN_PEER_URLS": f"http://{address}:2380", "ADVERTISE_CLIENT_URLS": f"http://{address}:2379",
                    "LISTEN_CLIENT_URLS": "http://0.0.0.0:2379,http://0.0.0.0:4001"}.items()))
            assert self.init(name, "POST", "reload")[0] == 200
            assert self.init(name, "POST", "units/etcd2.service/start")[0] == 200
        self.wait_healthy(*self.names)

    def wait_healthy(self, *machines: str) -> None:
        wait_for(f"stores of {machines} are healthy", lambda: {name: one["store"] for name, one in self.status().items()},
                 lambda stores: all(stores[name] == "healthy" for name in machines))

    # ---- what is on the host ----

    def processes(self) -> list[str]:
        """Of the host: whatever was started for these machines, by command line or by mounts."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(self.directory) in command or str(self.directory) in (entry / "mountinfo").read_text():
                    found.append(f"{entry.name} {command}")
            except (OSError, UnicodeDecodeError):
                pass
        return found

    def namespaces(self) -> set[str]:
        """Of all machines and the switch, as the host names them."""
        found = set()
        for machine in self.status().values():
            for kind in ("pid", "mnt", "net", "uts", "ipc", "cgroup") if machine["pid"] else ():
                found.add(os.readlink(f"/proc/{machine['pid']}/ns/{kind}"))
        return found

    def group_key(self) -> str:
        """The name of the control groups of this directory."""
        status = self.directory.stat()
        return f"faering-local-{status.st_dev:x}-{status.st_ino:x}"


def namespaces_in_use() -> set[str]:
    found = set()
    for process in (name for name in os.listdir("/proc") if name.isdigit()):
        try:  # it may end while it is looked at
            found |= {os.readlink(f"/proc/{process}/ns/{kind}") for kind in os.listdir(f"/proc/{process}/ns")}
        except OSError:
            pass
    return found


def groups_named(name: str) -> list[str]:
    return [path for path, folders, _ in os.walk("/sys/fs/cgroup") if os.path.basename(path) == name]


def host_network() -> tuple[list[str], str, str]:
    """Links, routes and whether packets are forwarded: what must stay as it was."""
    forward = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    return sorted(os.listdir("/sys/class/net")), Path("/proc/net/route").read_text(), forward
