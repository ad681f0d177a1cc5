"""What a service manager hears of faering-store: ready, alive, and ending."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from stores import Store, free_ports


class Manager:
    """The socket that systemd would listen on."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def heard(self, seconds: float, until: str | None = None) -> list[str]:
        """What comes within that time, or until a line."""
        lines: list[str] = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and until not in lines:
            self.socket.settimeout(left)
            try:
                lines += self.socket.recv(4096).decode().splitlines()
            except TimeoutError:
                break
        return lines


def make_store(folder: Path, name: str, ports: list[int], cluster: str) -> Store:
    return Store(folder, name, *ports, cluster, [], False)


def test_ready_when_it_serves_and_says_what_it_is_at(tmp_path, monkeypatch):
    manager = Manager(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
    client, peer = free_ports(2)
    store = make_store(tmp_path, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    store.start()
    try:
        lines = manager.heard(10, "READY=1")
        assert "READY=1" in lines
        assert store.request("PUT", "/v2/keys/a", {"value": "b"})[0] == 201  # at once: ready means ready
        lines += manager.heard(0.5)
        assert "STATUS=leads a cluster of 1" in lines
        assert lines.count("READY=1") == 1
        assert not [line for line in lines if line.startswith("WATCHDOG")]  # nobody asked for it
        assert store.terminate() == 0
        assert "STOPPING=1" in manager.heard(5, "STOPPING=1")
    finally:
        store.kill()


def test_not_ready_without_a_majority(tmp_path, monkeypatch):
    manager = Manager(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
    ports = free_ports(4)
    cluster = f"m0=http://127.0.0.1:{ports[1]},m1=http://127.0.0.1:{ports[3]}"
    stores = [make_store(tmp_path, f"m{i}", ports[2 * i:2 * i + 2], cluster) for i in range(2)]
    stores[0].start()
    try:
        lines = manager.heard(3)
        assert "STATUS=waits for a leader" in lines and "READY=1" not in lines
        stores[1].start()
        assert manager.heard(20, "READY=1").count("READY=1") == 1
    finally:
        for store in stores:
            store.kill()


def test_a_stuck_loop_is_not_vouched_for(tmp_path, monkeypatch):
    manager = Manager(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    client, peer = free_ports(2)
    store = make_store(tmp_path, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    store.start()
    try:
        manager.heard(10, "READY=1")
        assert manager.heard(3).count("WATCHDOG=1") >= 3
        os.kill(store.process.pid, signal.SIGSTOP)
        manager.heard(0.2)  # what was under way
        assert manager.heard(2.5) == []
        os.kill(store.process.pid, signal.SIGCONT)
        assert "WATCHDOG=1" in manager.heard(3, "WATCHDOG=1")
    finally:
        store.kill()


def test_started_as_etcd_with_its_flags(tmp_path):
    client, peer = free_ports(2)
    name = tmp_path / "etcd"
    store = make_store(tmp_path, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    name.symlink_to(store.command[0])
    store.command[0] = str(name)
    store.command += ["--enable-v2=true", "--logger=zap", "--log-level=warn", "--log-outputs", "stderr", "--quota-backend-bytes", "0",
                      "--auto-compaction-retention=1", "--pre-vote=true", "--max-txn-ops=128", "--enable-pprof=false",
                      "--strict-reconfig-check=true", "--initial-cluster-token", "etcd-cluster-1", "--heartbeat-interval=100"]
    store.environment["ETCD_MAX_SNAPSHOTS"] = "5"
    store.start()
    try:
        store.wait_ready()
        assert store.request("PUT", "/v2/keys/a", {"value": "b"})[0] == 201
        assert "leads" not in store.log.read_text()  # it warns at most
    finally:
        store.kill()
    store.command = [part for part in store.command if not part.startswith("--log-level")]
    store.start()
    try:
        store.wait_ready()
        text = store.log.read_text()
        for flag in ("quota-backend-bytes", "auto-compaction-retention", "max-snapshots", "pre-vote"):
            assert f"--{flag} does nothing: " in text
        assert "--enable-pprof does nothing" not in text
    finally:
        store.kill()
    version = subprocess.run([str(name), "--version"], capture_output=True, text=True, check=True).stdout
    assert version.splitlines()[0] == "etcd Version: 3.4.23"
    wrong = subprocess.run([str(name), "--quota-backend-byte=3"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "did you mean --quota-backend-bytes?" in wrong.stderr
    wrong = subprocess.run([str(name), "--log-level=loud"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "debug, info, warn or error" in wrong.stderr
