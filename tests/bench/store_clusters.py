"""Clusters of faering-store and of etcd on loopback for the benchmarks, and a loader."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

VALUE_BYTES = 256


def value_of(n: int) -> str:
    text = f"{n}-"
    return text + "v" * (VALUE_BYTES - len(text))


class Cluster:
    """`members` servers of one kind, fresh, on ports of their own."""

    def __init__(self, name: str, program: list[str], folder: Path, first_port: int, members: int, extra: list[str] = []):
        self.name, self.folder, self.members = name, folder, members
        self.client_ports = [first_port + 2 * i for i in range(members)]
        peers = [f"http://127.0.0.1:{port + 1}" for port in self.client_ports]
        cluster = ",".join(f"m{i}={peer}" for i, peer in enumerate(peers))
        folder.mkdir(parents=True)
        self.commands = []
        for i, port in enumerate(self.client_ports):
            client = f"http://127.0.0.1:{port}"
            self.commands.append([*program, f"--name=m{i}", f"--data-dir={folder}/m{i}", f"--initial-cluster={cluster}",
                                  f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                                  f"--listen-peer-urls={peers[i]}", f"--initial-advertise-peer-urls={peers[i]}", *extra])
        self.processes: list[subprocess.Popen] = []

    def start(self) -> float:
        """Seconds until every member is healthy."""
        began = time.monotonic()
        for i, command in enumerate(self.commands):
            log = open(self.folder / f"m{i}.log", "ab")
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        for port in self.client_ports:
            while not healthy(port):
                if time.monotonic() - began > 60:
                    raise RuntimeError(f"{self.name} on port {port} is not healthy; see {self.folder}")
                time.sleep(0.002)
        return time.monotonic() - began

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait()
        self.processes = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    def url(self, member: int) -> str:
        return f"http://127.0.0.1:{self.client_ports[member]}"

    def leader(self) -> int:
        for i, port in enumerate(self.client_ports):
            if json.loads(get(port, "/v2/stats/self")[1])["state"] == "StateLeader":
                return i
        raise RuntimeError(f"{self.name} has no leader")

    def syncs(self, member: int) -> int:
        """fdatasync calls of the log so far."""
        text = get(self.client_ports[member], "/metrics")[1].decode()
        found = re.search(r"^etcd_disk_wal_fsync_duration_seconds_count (\S+)", text, re.M)
        return int(float(found.group(1)))

    def memory_kb(self, member: int) -> int:
        status = Path(f"/proc/{self.processes[member].pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def get(port: int, path: str) -> tuple[int, bytes, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, dict(answer.getheaders())


def healthy(port: int) -> bool:
    try:
        return b"true" in get(port, "/health")[1]
    except (OSError, http.client.HTTPException):
        return False


def load(port: int, path: str, first: int, last: int, connections: int = 64) -> None:
    """Puts path + N for each number; every answer must be 200 or 201."""
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    readers = [one.makefile("rb") for one in sockets]
    for begin in range(first, last + 1, connections):
        numbers = range(begin, min(begin + connections, last + 1))
        for one, n in zip(sockets, numbers):
            one.sendall(put_request(f"{path}{n}", value_of(n)))
        for reader, n in zip(readers, numbers):
            status = read_answer(reader)[0]
            if status not in (200, 201):
                raise RuntimeError(f"PUT {path}{n}: status {status}")
    for one in sockets:
        one.close()


def put_request(path: str, value: str) -> bytes:
    return (f"PUT /v2/keys{path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(value) + 6}\r\n\r\nvalue={value}").encode()


def read_answer(reader) -> tuple[int, bytes]:
    status = int(reader.readline().split()[1])
    length, chunked = 0, False
    while (line := reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        chunked = chunked or (name.lower() == b"transfer-encoding" and b"chunked" in value)
    if not chunked:
        return status, reader.read(length)
    body = b""
    while size := int(reader.readline(), 16):
        body += reader.read(size)
        reader.readline()
    reader.readline()
    return status, body


def read_back(port: int, keys: int) -> None:
    """Every key that put.lua may have written has the value that it writes."""
    nodes = json.loads(get(port, "/v2/keys/bench")[1])["node"].get("nodes", [])
    for node in nodes:
        n = int(node["key"].rsplit("/k", 1)[1])
        if not 1 <= n <= keys or node["value"] != value_of(n):
            raise RuntimeError(f"{node['key']} has another value than was written")
    if not nodes:
        raise RuntimeError("no key was written")


def store_index(port: int) -> int:
    return int(get(port, "/v2/keys/bench")[2]["X-Etcd-Index"])
