"""Five machines of a fleet, for tests that do not ask how: daemons beside a store on loopback, whose units are their children
(EmbeddedNodes), or hosts with systemd as their first process (SystemdNodes, see hosts.py). Tests use Node and Nodes only.

Each node has a connection to the store of its own, which can be cut. `shared` is a folder that all of them see: unit files are
written there, and units made by `Nodes.unit()` note their starts and stops in it.
"""
import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from fleets import WAIT_SECONDS, Machine, wait_for
from hosts import Host, Hosts, group_folders
from stores import Cluster, free_ports, stock_etcd

COUNT, MEMBERS = 5, 3
TTL = 3
SHARED = "/fleet-test"  # in a host


def metadata_of(number: int) -> str:
    """`trio` and `quartet`: the first three and four, for what is shown on so many machines."""
    return f"hostname=n{number}" + (",trio=yes" if number <= 3 else "") + (",quartet=yes" if number <= 4 else "")


class Node:
    """One machine. `number` counts from 1; `log()` is what its daemon said."""

    number: int
    id: str
    address: str
    shared: str
    endpoint: str

    def run_at(self, endpoint: str, *arguments: str) -> subprocess.CompletedProcess:
        """fleetctl with $FLEETCTL_ENDPOINT, and nothing else that says where to ask."""
        raise NotImplementedError

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """fleetctl against this machine's daemon."""
        raise NotImplementedError

    def curl(self, *arguments: str) -> subprocess.CompletedProcess:
        """curl to this machine's daemon, for api()."""
        raise NotImplementedError

    def api(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        data = ["-H", "Content-Type: application/json", "-d", body if isinstance(body, str) else json.dumps(body)] if body is not None else []
        done = self.curl("-sS", "-X", method, "-w", "\n%{http_code}", *data, f"http://localhost{path}")
        assert done.returncode == 0, done.stderr
        text, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(text) if text.strip() else {}

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def machines(self) -> set[str]:
        return set(self.ok("list-machines", "--no-legend", "--full", "--fields", "machine").split())

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Unit, machine ID, active and sub state of each unit on each machine."""
        text = self.ok("list-units", "--no-legend", "--full", "--fields", "unit,machine,active,sub")
        return [(unit, machine.split("/")[0], active, sub) for unit, machine, active, sub in (row.split() for row in text.splitlines())]

    def active(self) -> dict[str, str]:
        """Unit → machine, of those that are active; not for global units."""
        return {unit: machine for unit, machine, active, _ in self.rows() if active == "active"}

    def everywhere(self, name: str) -> set[str]:
        """Where a global unit is active."""
        return {machine for unit, machine, active, _ in self.rows() if (unit, active) == (name, "active")}


class EmbeddedNode(Node):
    def __init__(self, folder: Path, number: int, store_url: str):
        self.folder, self.number, self.shared = folder, number, str(folder / "shared")
        self.wire = Wire(store_url)
        self.machine = Machine(folder, number, self.wire.url, TTL, metadata=metadata_of(number))
        self.id, self.address, self.endpoint = self.machine.id, self.machine.address, f"unix://{self.machine.socket}"

    def run_at(self, endpoint: str, *arguments: str) -> subprocess.CompletedProcess:
        return self.machine.fleetctl(*arguments, endpoint=endpoint)

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.machine.fleetctl(*arguments)

    def curl(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(["curl", "--unix-socket", str(self.machine.socket), *arguments], capture_output=True, text=True,
                              timeout=WAIT_SECONDS)

    def is_up(self) -> bool:
        return self.machine.process is not None and self.machine.process.poll() is None

    def start(self, *options: str) -> None:
        self.machine.command, whole = [*self.machine.command, *options], self.machine.command
        self.machine.start()
        self.machine.command = whole

    def stop(self) -> int:
        return self.machine.stop()

    def kill(self) -> None:
        self.machine.kill()

    def signal(self, number: int) -> None:
        self.machine.process.send_signal(number)

    def pid(self) -> int:
        return self.machine.process.pid

    def lose_power(self) -> None:
        """The daemon and all of its units."""
        self.machine.kill()
        end_group(f"faering-{self.id}")
        shutil.rmtree(self.folder / f"fleet{self.number}", ignore_errors=True)

    def power_on(self) -> None:
        self.start()

    def cut(self) -> None:
        self.wire.cut()

    def heal(self) -> None:
        self.wire.heal()

    def log(self) -> str:
        return self.machine.log.read_text()

    def close(self) -> None:
        self.heal()
        if self.is_up():
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.machine.process.wait(timeout=15)
        if self.is_up():
            self.machine.kill()
        end_group(f"faering-{self.id}")
        self.wire.close()


def end_group(name: str) -> None:
    """All processes of a daemon's units."""
    for top in group_folders():
        for folder, _, files in os.walk(top):
            if f"/{name}" not in folder or "cgroup.procs" not in files:
                continue
            with contextlib.suppress(OSError):
                for pid in Path(folder, "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)


class Wire:
    """A connection to the store that can be cut: then nothing passes, and nobody is told."""

    def __init__(self, target: str):
        host, _, port = target.removeprefix("http://").partition(":")
        self.target, self.port = (host, int(port)), free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.loop = asyncio.new_event_loop()
        self.whole = asyncio.Event()
        self.whole.set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.call(self.listen()).result(WAIT_SECONDS)

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def listen(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.whole.wait()
        with contextlib.suppress(OSError):
            back_reader, back_writer = await asyncio.open_connection(*self.target)
            await asyncio.gather(self.pump(reader, back_writer), self.pump(back_reader, writer))

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What had been on its way when the wire was cut is lost, and the connection with it."""
        with contextlib.suppress(OSError):
            while (data := await reader.read(65536)) and self.whole.is_set():
                writer.write(data)
                await writer.drain()
        await self.whole.wait()
        writer.close()

    def cut(self) -> None:
        self.loop.call_soon_threadsafe(self.whole.clear)

    def heal(self) -> None:
        self.loop.call_soon_threadsafe(self.whole.set)

    def close(self) -> None:
        async def end() -> None:
            self.server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.call(end()).result(WAIT_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class SystemdNode(Node):
    """A host of hosts.py; the fleet's daemon is its faering-fleet.service."""

    def __init__(self, host: Host, stores: str, ttl: int = TTL):
        self.host, self.number, self.id, self.address, self.shared = host, host.number, host.id, host.address, SHARED
        self.endpoint = "unix:///run/faering/fleet.sock"
        self.config = (f"etcd_servers={stores}\npublic_ip={host.address}\nmetadata={metadata_of(self.number)}\nagent_ttl={ttl}s\n"
                       "supervisor=systemd\n")
        host.write("/etc/fleet/fleet.conf", self.config)
        host.enable("faering-fleet.service")

    def run_at(self, endpoint: str, *arguments: str) -> subprocess.CompletedProcess:
        return self.host.run("env", f"FLEETCTL_ENDPOINT={endpoint}", "fleetctl", *arguments)

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.host.run("fleetctl", *arguments)

    def curl(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.host.run("curl", "--unix-socket", "/run/faering/fleet.sock", *arguments)

    def is_up(self) -> bool:
        return bool(self.host.leader) and self.host.is_active("faering-fleet.service")

    def start(self, *options: str) -> None:
        """An option is given as a line of the configuration file."""
        lines = "".join(f"{name.removeprefix('--')}={value}\n" for name, value in zip(options[::2], options[1::2]))
        self.host.write("/etc/fleet/fleet.conf", self.config + lines)
        self.host.ok("systemctl", "start", "faering-fleet.service")  # which does not wait until it is read: it stays until the next start

    def stop(self) -> int:
        self.host.ok("systemctl", "stop", "faering-fleet.service")
        return int(self.host.show("faering-fleet.service", "ExecMainStatus")["ExecMainStatus"])

    def kill(self) -> None:
        """It does not come back by itself."""
        self.host.sh("mkdir -p /run/systemd/system/faering-fleet.service.d; "
                     "printf '[Service]\\nRestart=no\\n' >/run/systemd/system/faering-fleet.service.d/no-restart.conf; systemctl daemon-reload; "
                     "systemctl kill -s KILL faering-fleet.service; rm /run/systemd/system/faering-fleet.service.d/no-restart.conf")
        wait_for("it has ended", lambda: not self.is_up())
        self.host.sh("systemctl daemon-reload; systemctl reset-failed faering-fleet.service")

    def signal(self, number: int) -> None:
        self.host.ok("systemctl", "kill", f"--signal={number}", "--kill-whom=main", "faering-fleet.service")

    def pid(self) -> int:
        return int(self.host.show("faering-fleet.service", "MainPID")["MainPID"])

    def lose_power(self) -> None:
        self.host.pull_plug()

    def power_on(self) -> None:
        self.host.power_on()

    def cut(self) -> None:
        self.host.cut()

    def heal(self) -> None:
        self.host.heal()

    def log(self) -> str:
        return self.host.journal("faering-fleet.service", 1000)


class Nodes:
    """All five, up. A test that has disturbed some leaves them to restore()."""

    def __init__(self, kind: str, nodes: list[Node], shared: Path):
        self.kind, self.nodes, self.shared = kind, nodes, shared

    def __getitem__(self, at: int) -> Node:
        return self.nodes[at]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def by_id(self, machine: str) -> Node:
        return next(node for node in self.nodes if node.id == machine)

    def write(self, name: str, text: str) -> str:
        """The path as a node sees it."""
        (self.shared / name).write_text(text)
        return f"{self.nodes[0].shared}/{name}"

    def unit(self, name: str, fleet: str = "", unit: str = "", service: str = "", install: str = "") -> str:
        """A file of a service that notes what happens to it: see events(). Arguments are further lines of its sections."""
        noted = f"{self.nodes[0].shared}/%n.events"
        return self.write(name, f"""[Unit]
Description={name}
{unit}
[Service]
ExecStart=/bin/sh -c 'echo start >>{noted}; exec sleep 1000'
ExecStopPost=/bin/sh -c 'echo stop >>{noted}'
{service}
{"[Install]" if install else ""}
{install}
[X-Fleet]
{fleet}
""")

    def events(self, name: str) -> list[str]:
        """The starts and stops of a unit until now, on all machines."""
        path = self.shared / f"{name}.events"
        return path.read_text().split() if path.exists() else []

    def restore(self) -> None:
        for node in self.nodes:
            node.heal()
        for node in self.nodes:
            if isinstance(node, SystemdNode) and not node.host.leader:
                node.power_on()
            if not node.is_up():
                node.start()
        one = self.nodes[0]
        wait_for("all are registered", one.machines, lambda found: found == {node.id for node in self.nodes})
        names = [row["name"] for row in one.api("GET", "/fleet/v1/units")[1].get("units", [])]
        if names:
            one.ok("destroy", *names)
        for path in self.shared.iterdir():
            path.unlink()


def make_shared(folder: Path) -> Path:
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    return shared


@contextlib.contextmanager
def embedded_nodes(folder: Path, stock: bool = False) -> Iterator[Nodes]:
    """`stock`: Debian's etcd is the store."""
    shared = make_shared(folder)
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(stock_etcd(folder))[0]] if stock else [one.url for one in stack.enter_context(Cluster(folder, MEMBERS)).stores]
        nodes = []
        for number in range(1, COUNT + 1):
            nodes.append(EmbeddedNode(folder, number, urls[number % len(urls)]))
            stack.callback(nodes[-1].close)
            nodes[-1].start()
        found = Nodes("embedded", nodes, shared)
        found.restore()
        yield found


def put_store(host: Host) -> None:
    cluster = ",".join(f"h{n}=http://10.77.0.{10 + n}:2380" for n in range(1, MEMBERS + 1))
    host.write("/etc/systemd/system/faering-store.service.d/test.conf", f"""[Service]
Environment=ETCD_NAME={host.name} ETCD_INITIAL_CLUSTER={cluster}
Environment=ETCD_LISTEN_PEER_URLS=http://{host.address}:2380 ETCD_INITIAL_ADVERTISE_PEER_URLS=http://{host.address}:2380
Environment=ETCD_LISTEN_CLIENT_URLS=http://{host.address}:2379 ETCD_ADVERTISE_CLIENT_URLS=http://{host.address}:2379
""")
    host.enable("faering-store.service")


@contextlib.contextmanager
def systemd_nodes(folder: Path, count: int = COUNT, ttl: int = TTL) -> Iterator[Nodes]:
    shared = make_shared(folder)
    with Hosts(folder, count, binds={SHARED: shared}) as hosts:
        stores = ",".join(f"http://{host.address}:2379" for host in hosts.hosts[:MEMBERS])
        nodes = [SystemdNode(host, stores, ttl) for host in hosts]
        for host in hosts:
            if host.number <= MEMBERS:
                put_store(host)
            else:  # faering-fleet.service wants one, which would found a cluster of its own
                host.path("/etc/systemd/system/faering-store.service").symlink_to("/dev/null")
        hosts.power_on()
        found = Nodes("systemd", nodes, shared)
        found.restore()
        yield found
