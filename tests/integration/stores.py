"""Real faering-store processes on loopback, for the tests in this folder: ports from the kernel, data in a folder of the test."""
import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("FAERING_BUILD", ROOT / "build"))
START_SECONDS = 20


given_ports: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; each is given once, as it may be listened on only much later."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        if port not in given_ports:
            given_ports.add(port)
            ports.append(port)
    return ports


class Store:
    """One member. `forget`: its disk forgets what was not synced (forget-disk.c). `context`: everything is of https, and asked so."""

    def __init__(self, folder: Path, name: str, client: int, peer: int, cluster: str, extra: list[str], forget: bool,
                 context: ssl.SSLContext | None = None):
        self.name, self.client, self.peer, self.forget = name, client, peer, forget
        self.data = folder / name
        self.safe = folder / f"{name}.safe"
        self.log = folder / f"{name}.log"
        self.context, scheme = context, "https" if context else "http"
        self.url, self.peer_url = f"{scheme}://127.0.0.1:{client}", f"{scheme}://127.0.0.1:{peer}"
        self.process: subprocess.Popen | None = None
        self.environment: dict[str, str] = {}
        self.command = [
            str(BUILD / "src/store/faering-store"), "--name", name, "--data-dir", str(self.data),
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url,
            "--initial-cluster", cluster, *extra,
        ]

    def start(self) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith("ETCD_")} | self.environment
        if self.forget:
            (self.safe / "inodes").mkdir(parents=True, exist_ok=True)
            env["FORGET_DISK"] = str(self.data)
            env["LD_PRELOAD"] = str(BUILD / "tests/integration/libforget-disk.so")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=env)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.client)

    def kill(self) -> None:
        """Power off: the process is gone at once, and with `forget` all that was not synced."""
        self.process.kill()
        self.process.wait()
        if self.forget:
            shutil.rmtree(self.data, ignore_errors=True)
            self.data.mkdir()
            names = self.safe / "names"
            for line in names.read_text().splitlines() if names.exists() else []:
                inode, name = line.split(" ", 1)
                contents = self.safe / "inodes" / inode
                if contents.exists():
                    shutil.copyfile(contents, self.data / name)
                else:
                    (self.data / name).touch()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)

    def request(self, method: str, path: str, form: dict | None = None, timeout: float = 10) -> tuple[int, dict, dict]:
        """Status, headers (lower-case names) and JSON body."""
        body = urllib.parse.urlencode(form).encode() if form is not None else None
        request = urllib.request.Request(self.url + path, data=body, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=timeout, context=self.context)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, json.loads(text) if text else {}

    def members(self, method: str = "GET", path: str = "", urls: list[str] | None = None, timeout: float = 10) -> tuple[int, dict]:
        """Status and JSON of /v2/members."""
        body = json.dumps({"peerURLs": urls}).encode() if urls is not None else None
        request = urllib.request.Request(f"{self.url}/v2/members{path}", data=body, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            answer = urllib.request.urlopen(request, timeout=timeout, context=self.context)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else {}

    def id(self) -> str:
        return self.request("GET", "/v2/stats/self")[2]["id"]

    def is_voter(self) -> bool:
        """As this member itself has heard."""
        with urllib.request.urlopen(f"{self.peer_url}/faering/v1/members", timeout=5, context=self.context) as answer:
            own = [one for one in json.loads(answer.read())["members"] if one["id"] == self.id()]
        return bool(own) and not own[0]["standby"]

    def wait_end(self) -> int:
        return self.process.wait(timeout=START_SECONDS)

    def tree(self) -> dict:
        """All keys, as new as the cluster."""
        status, _, body = self.request("GET", "/v2/keys/?recursive=true&sorted=true&quorum=true", timeout=30)
        assert status == 200, body
        return body["node"]

    def wait_ready(self) -> None:
        """Until a quorum read is answered: there is a leader, and this member follows it."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, f"{self.name} ended:\n{self.log.read_text()[-2000:]}"
            try:
                if self.request("GET", "/v2/keys/?quorum=true", timeout=2)[0] == 200:
                    return
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.05)
        raise AssertionError(f"{self.name} is not ready:\n{self.log.read_text()[-2000:]}")

    def is_leader(self) -> bool:
        return self.request("GET", "/v2/stats/self")[2]["state"] == "StateLeader"


class Cluster:
    """A context of `count` members that ends them all."""

    def __init__(self, folder: Path, count: int, extra: list[str] | None = None, forget: bool = False,
                 context: ssl.SSLContext | None = None):
        self.folder, self.extra, self.forget, self.made, self.context = folder, extra or [], forget, count, context
        self.scheme = "https" if context else "http"
        self.left: list[Store] = []
        ports = free_ports(2 * count)
        names = [f"m{i}" for i in range(count)]
        cluster = ",".join(f"{name}={self.scheme}://127.0.0.1:{ports[2 * i + 1]}" for i, name in enumerate(names))
        self.stores = [Store(folder, name, ports[2 * i], ports[2 * i + 1], cluster, extra or [], forget, context)
                       for i, name in enumerate(names)]

    def __enter__(self) -> "Cluster":
        for store in self.stores:
            store.start()
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for store in self.stores + self.left:
            if store.process and store.process.poll() is None:
                store.process.kill()
                store.process.wait()

    def wait_ready(self) -> None:
        for store in self.stores:
            store.wait_ready()

    def add(self, at: Store) -> Store:
        """Adds a member, starts it, and waits until it votes."""
        client, peer = free_ports(2)
        name, url = f"m{self.made}", f"{self.scheme}://127.0.0.1:{peer}"
        self.made += 1
        status, body = at.members("POST", urls=[url])
        assert status == 201, body
        members = at.members()[1]["members"]
        cluster = ",".join(f"{name if one['id'] == body['id'] else one['name']}={one['peerURLs'][0]}" for one in members)
        store = Store(self.folder, name, client, peer, cluster, [*self.extra, "--initial-cluster-state", "existing"], self.forget,
                      self.context)
        self.stores.append(store)
        store.start()
        store.wait_ready()
        self.wait_voter(store)
        return store

    @staticmethod
    def wait_voter(store: Store) -> None:
        end = time.monotonic() + START_SECONDS
        while not store.is_voter():
            assert time.monotonic() < end, f"{store.name} does not become a voter:\n{store.log.read_text()[-2000:]}"
            time.sleep(0.05)

    def remove(self, store: Store, at: Store, id: str | None = None) -> None:
        """Removes a member; it stays in `left`."""
        status, body = at.members("DELETE", f"/{id or store.id()}")
        assert status == 204, body
        self.stores.remove(store)
        self.left.append(store)

    def leader(self) -> Store:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            for store in self.stores:
                if store.process.poll() is None and store.is_leader():
                    return store
            time.sleep(0.05)
        raise AssertionError("no leader")

    def assert_equal_trees(self) -> dict:
        trees = [store.tree() for store in self.stores]
        for store, tree in zip(self.stores[1:], trees[1:]):
            assert tree == trees[0], f"{store.name} differs from {self.stores[0].name}"
        return trees[0]


def wait_answer(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.05)


@contextlib.contextmanager
def stock_etcd(folder: Path) -> Iterator[tuple[str, str]]:
    """Client and peer URL of Debian's etcd on its own, where it is installed; else the test is skipped."""
    program = shutil.which("etcd")
    if not program:
        pytest.skip("etcd is not installed")
    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    with (folder / "etcd.log").open("w") as log:
        process = subprocess.Popen(
            [program, "--enable-v2=true", "--data-dir", str(folder / "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"],
            stdout=log, stderr=log)
    try:
        wait_answer(f"{client}/v2/keys/?quorum=true")
        yield client, peer
    finally:
        process.kill()
        process.wait()
