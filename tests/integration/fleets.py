"""Real faering-fleet processes beside a store of three members, for the tests in this folder. Each machine's units are children
of its daemon (the embedded supervisor)."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from stores import BUILD, Cluster, free_ports

WAIT_SECONDS = 30


class Machine:
    """One fleet daemon, on the store member of the same number."""

    def __init__(self, folder: Path, number: int, store_url: str, ttl: int, supervisor: str = "embedded",
                 metadata: str | None = None, extra: tuple[str, ...] = ()):
        self.id = f"{number}{number}{number}{number}{os.getpid() % 10000:04d}" + "f1ee7" + "0" * 18 + f"{number}"
        self.address = f"10.77.0.{number}"
        self.socket = folder / f"fleet{number}.sock"
        self.log = folder / f"fleet{number}.log"
        self.state = folder / f"fleet{number}"
        self.store_url = store_url
        self.process: subprocess.Popen | None = None
        self.command = [
            str(BUILD / "src/fleet/faering-fleet"), "--config", "/dev/null", "--state-dir", str(folder / f"fleet{number}"),
            "--listen", f"unix://{self.socket}", "--supervisor", supervisor, "--etcd_servers", store_url,
            "--public_ip", self.address, "--metadata", metadata or f"number={number}", "--agent_ttl", f"{ttl}s", "--machine-id", self.id,
            *(option.format(port=free_ports(1)[0]) for option in extra),
        ]

    def start(self) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith("FLEET_")}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=env)

    def kill(self) -> None:
        """The daemon alone: its units go on."""
        self.process.kill()
        self.process.wait()

    def shims(self) -> list[tuple[int, int, str]]:
        """Process, child and unit of each shim of this machine."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:  # it has ended
                continue
            if words[0] == "faering-unit-shim" and len(words) > 3 and words[1].isdigit() and words[3].startswith(f"{self.state}/") \
                    and words[1] != entry.name:  # a child that has not executed its program yet looks like its shim
                found.append((int(entry.name), int(words[1]), words[2]))
        return found

    def spawner(self) -> int | None:
        """The process that makes this machine's shims; None: it is not needed yet."""
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and b"\0--spawner\0" in (entry / "cmdline").read_bytes() \
                        and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                    return int(entry.name)
            except OSError:  # it has ended
                continue
        return None

    def end_units(self) -> None:
        """What a daemon that was killed for good has left."""
        for shim, child, _ in self.shims():
            for pid in (child, shim):
                if pid > 0:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass

    def curl(self, *arguments: str) -> str:
        done = subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, timeout=WAIT_SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=WAIT_SECONDS)

    def fleet(self, *arguments: str, name: str = "faering") -> subprocess.CompletedProcess:
        """`faering fleet …` against this machine's daemon."""
        return subprocess.run([str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"unix://{self.socket}", *arguments],
                              capture_output=True, text=True, timeout=WAIT_SECONDS)

    def fleetctl(self, *arguments: str, path: str | None = None, endpoint: str | None = None) -> subprocess.CompletedProcess:
        """The same under the old program's name; `path`: a folder in front of $PATH."""
        link = self.socket.with_name("fleetctl")
        if not link.exists():
            link.symlink_to(BUILD / "src/cli/faering")
        env = {**os.environ, "FLEETCTL_ENDPOINT": endpoint or f"unix://{self.socket}"}
        if path:
            env["PATH"] = f"{path}:{env['PATH']}"
        return subprocess.run([str(link), *arguments], capture_output=True, text=True, timeout=WAIT_SECONDS, env=env)

    def ok(self, *arguments: str) -> str:
        done = self.fleet(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def api(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        data = ["-H", "Content-Type: application/json", "-d", json.dumps(body)] if body is not None else []
        done = subprocess.run(["curl", "-sS", "-X", method, "--unix-socket", str(self.socket), "-w", "\n%{http_code}", *data,
                               f"http://localhost{path}"], capture_output=True, text=True, timeout=WAIT_SECONDS)
        assert done.returncode == 0, done.stderr
        text, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(text) if text.strip() else {}

    def units(self) -> dict[str, tuple[str, str]]:
        """Unit → machine ID and active state."""
        rows = self.ok("list-units", "--no-legend", "--full", "--fields", "unit,machine,active").splitlines()
        return {unit: (machine.split("/")[0], active) for unit, machine, active in (row.split() for row in rows)}


def wait_for(what: str, get, accept=bool, seconds: float = WAIT_SECONDS):
    """What get() gives, once it is accepted; the last that was not is in the failure."""
    end = time.monotonic() + seconds
    value = None
    while time.monotonic() < end:
        try:
            value = get()
            if accept(value):
                return value
        except (AssertionError, ValueError, KeyError) as error:
            value = error
        time.sleep(0.1)
    raise AssertionError(f"{what}: still {value!r} after {seconds} s")


class Fleet:
    """A context of three store members and as many fleet daemons, which ends them all with their units."""

    def __init__(self, folder: Path, count: int = 3, ttl: int = 3, supervisor: str = "embedded", metadata: list[str] | None = None,
                 extra: tuple[str, ...] = ()):
        """`extra`: options of every daemon; "{port}" in them is a free port."""
        self.store = Cluster(folder, 3)
        self.machines = [Machine(folder, i + 1, self.store.stores[i % 3].url, ttl, supervisor, metadata[i] if metadata else None, extra)
                         for i in range(count)]

    def __enter__(self) -> "Fleet":
        self.store.__enter__()
        try:
            for machine in self.machines:
                machine.start()
            for machine in self.machines:
                self.wait_registered(machine)
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_registered(self, machine: Machine) -> None:
        wait_for(f"{machine.id} is registered", lambda: machine.id in machine.ok("list-machines", "--full"))

    def __exit__(self, *_: object) -> None:
        for machine in self.machines:
            if machine.process and machine.process.poll() is None:
                machine.process.send_signal(signal.SIGTERM)
        for machine in self.machines:
            if machine.process:
                try:
                    machine.process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    machine.kill()
            machine.end_units()
        self.store.__exit__()
