"""What a service manager hears of faering-store: ready, alive, and ending."""
import fcntl
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from certificates import Authority
from stores import BUILD, ROOT, Cluster, Store, free_ports

FAERING = BUILD / "src/cli/faering"


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


def test_asks_for_time_while_it_reads_what_it_has(tmp_path, monkeypatch):
    client, peer = free_ports(2)
    store = make_store(tmp_path, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    store.start()
    try:
        store.wait_ready()
        store.kill()
        manager = Manager(tmp_path)
        monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
        store.start()
        lines = manager.heard(10, "READY=1")
        assert f"STATUS=reads {store.data}" in lines
        extended = [number for number, line in enumerate(lines) if line.startswith("EXTEND_TIMEOUT_USEC=")]
        assert extended and extended[0] < lines.index("READY=1")
        assert not [line for line in manager.heard(1.5) if line.startswith("EXTEND")]  # it serves now
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


# ---- sockets that the manager has made ----

def hand_over(store: Store, sockets: list[socket.socket], names: str | None) -> None:
    """Has the store find them as systemd passes them: files 3 and up, for its own process id."""
    store.command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *store.command]
    store.environment["LISTEN_FDS"] = str(len(sockets))
    if names is not None:
        store.environment["LISTEN_FDNAMES"] = names
    env = {key: value for key, value in os.environ.items() if not key.startswith("ETCD_")} | store.environment

    def place() -> None:
        lifted = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 100) for one in sockets]
        for number, fd in enumerate(lifted):
            os.dup2(fd, 3 + number)

    with store.log.open("a") as log:
        store.process = subprocess.Popen(store.command, stdout=log, stderr=log, env=env, preexec_fn=place,
                                         pass_fds=range(3, 3 + len(sockets)))


def listening(address: tuple[str, int] | str) -> socket.socket:
    one = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    one.bind(address)
    one.listen(16)
    return one


def test_sockets_of_the_manager_by_name(tmp_path):
    """They are served, nothing else is listened at, and a client may come before the store does."""
    client, peer, elsewhere = free_ports(3)
    store = make_store(tmp_path, "m0", [elsewhere, peer], f"m0=http://127.0.0.1:{peer}")
    clients, peers, path = listening(("127.0.0.1", client)), listening(("127.0.0.1", peer)), listening(str(tmp_path / "client"))
    early = socket.create_connection(("127.0.0.1", client))
    early.sendall(b"GET /version HTTP/1.0\r\n\r\n")
    hand_over(store, [clients, peers, path], "client:peer:client")
    for one in (clients, peers, path):
        one.close()
    try:
        early.settimeout(20)
        assert early.recv(100).startswith(b"HTTP/1.1 200")
        store.url = f"http://127.0.0.1:{client}"
        store.wait_ready()
        assert store.request("PUT", "/v2/keys/a", {"value": "b"})[0] == 201
        with socket.socket(socket.AF_UNIX) as local:
            local.connect(str(tmp_path / "client"))
            local.sendall(b"GET /version HTTP/1.0\r\n\r\n")
            assert local.recv(100).startswith(b"HTTP/1.1 200")
        with urllib.request.urlopen(f"http://127.0.0.1:{peer}/members", timeout=5) as answer:
            assert answer.status == 200
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", elsewhere)).close()  # --listen-client-urls gave way
        assert store.terminate() == 0
        assert (tmp_path / "client").exists()  # it is the manager's, who keeps it
    finally:
        early.close()
        store.kill()


def test_sockets_of_the_manager_by_address_and_with_tls(tmp_path):
    authority = Authority(tmp_path / "tls")
    context = ssl.create_default_context(cafile=str(authority.cert))
    client, peer, other = free_ports(3)
    store = make_store(tmp_path, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    urls = f"https://127.0.0.1:{client},http://127.0.0.1:{other}"
    at = store.command.index("--listen-client-urls") + 1
    store.command[at] = urls
    store.command += authority.issue("server").flags()
    given = listening(("127.0.0.1", client))
    hand_over(store, [given], None)
    given.close()
    try:
        store.url = f"http://127.0.0.1:{other}"  # its own: none takes its place
        store.wait_ready()
        with urllib.request.urlopen(f"https://127.0.0.1:{client}/version", timeout=5, context=context) as answer:
            assert answer.status == 200
    finally:
        store.kill()


def test_sockets_that_cannot_be_served_are_refused(tmp_path):
    client, peer, strange = free_ports(3)
    datagram, quiet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
    datagram.bind(("127.0.0.1", client))
    quiet.bind(("127.0.0.1", client))
    cases = [(datagram, "client", "ListenStream="), (quiet, "client", "Accept=no"),
             (listening(("127.0.0.1", strange)), "x.socket", f'"x.socket" at 127.0.0.1:{strange}')]
    for number, (given, name, said) in enumerate(cases):
        store = make_store(tmp_path, f"m{number}", [client, peer], f"m{number}=http://127.0.0.1:{peer}")
        hand_over(store, [given], name)
        try:
            assert store.wait_end() == 1
            assert said in store.log.read_text()
            assert not store.data.exists()  # before it has touched anything
        finally:
            store.kill()
            given.close()


# ---- the folders ----

def started_and_written(store: Store) -> None:
    store.start()
    store.wait_ready()
    assert store.request("PUT", "/v2/keys/a", {"value": "b"})[0] == 201
    assert store.terminate() == 0


def test_the_log_in_a_folder_of_its_own(tmp_path):
    client, peer = free_ports(2)
    store = make_store(tmp_path, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    bare, logs = list(store.command), tmp_path / "wal"
    store.command += ["--wal-dir", str(logs), "--snapshot-count", "5"]
    try:
        started_and_written(store)
        assert list(logs.glob("log-*")) and not list(store.data.glob("log-*"))
        store.start()
        store.wait_ready()
        assert store.request("GET", "/v2/keys/a")[2]["node"]["value"] == "b"
        for number in range(20):
            assert store.request("PUT", f"/v2/keys/{number}", {"value": "b"})[0] == 201
        copied = subprocess.run([str(FAERING), "store", "backup", "--data-dir", str(store.data), "--backup-dir", str(tmp_path / "copy"),
                                 "--backup-wal-dir", str(tmp_path / "copy.wal")], capture_output=True, text=True)
        assert copied.returncode == 0 and copied.stdout.startswith("21 keys"), copied
        assert list((tmp_path / "copy.wal").glob("log-*"))
        store.kill()
        assert list(store.data.glob("snapshot-*"))

        store.command = bare  # the flag forgotten: nothing begins anew
        store.start()
        assert store.wait_end() == 1
        assert f"start it with --wal-dir {logs}" in store.log.read_text()

        store.command = [*bare, "--data-dir", str(tmp_path / "copy"), "--wal-dir", str(tmp_path / "copy.wal"), "--force-new-cluster"]
        store.start()
        store.wait_ready()
        assert store.request("GET", "/v2/keys/19")[2]["node"]["value"] == "b"
    finally:
        store.kill()


@pytest.fixture
def open_folder():
    """One that other users reach, with a copy of the program in it."""
    folder = Path(tempfile.mkdtemp(prefix="faering-user-"))
    folder.chmod(0o755)
    shutil.copy2(BUILD / "src/store/faering-store", folder / "faering-store")
    yield folder
    shutil.rmtree(folder)


def test_what_root_wrote_is_handed_over_to_the_stores_own_user(open_folder):
    client, peer = free_ports(2)
    store = make_store(open_folder, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    program = store.command[0] = str(open_folder / "faering-store")
    hand_over_to = [program, "--hand-over-to", "nobody"]
    environment = {"ETCD_DATA_DIR": str(store.data), "PATH": os.environ["PATH"]}
    try:
        started_and_written(store)  # as root, as an earlier version did
        plain, store.command = store.command, ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *store.command]
        store.start()
        assert store.wait_end() == 1
        assert f"chown -R nobody {store.data}" in store.log.read_text()

        subprocess.run(hand_over_to, env=environment, check=True)
        assert all(path.stat().st_uid == store.data.stat().st_uid != 0 for path in store.data.rglob("*"))
        store.start()
        store.wait_ready()
        assert store.request("GET", "/v2/keys/a")[2]["node"]["value"] == "b"
    finally:
        store.kill()
    (open_folder / "home").mkdir()
    (open_folder / "home" / "letter").touch()
    refused = subprocess.run(hand_over_to, env=environment | {"ETCD_DATA_DIR": str(open_folder / "home")}, capture_output=True, text=True)
    assert refused.returncode == 1 and "holds other things than a store's data (letter)" in refused.stderr
    assert (open_folder / "home" / "letter").stat().st_uid == 0
    unknown = subprocess.run([program, "--hand-over-to", "nobody-of-this-name"], env=environment, capture_output=True, text=True)
    assert unknown.returncode == 1 and "systemd-sysusers" in unknown.stderr


def test_the_units_sandbox_is_tight(tmp_path):
    unit = tmp_path / "faering-store.service"
    text = (ROOT / "data/systemd/faering-store.service.in").read_text()
    unit.write_text(text.replace("@sbindir@/faering-store", "/bin/true"))
    (tmp_path / "faering-store.socket").write_text((ROOT / "data/systemd/faering-store.socket").read_text())
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    for name in ("faering-store.service", "faering-store.socket"):
        verified = subprocess.run(["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True)
        assert verified.returncode == 0 and verified.stdout + verified.stderr == ""
    judged = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True)
    level = float(re.search(r"Overall exposure level for faering-store.service: ([0-9.]+)", judged.stdout).group(1))
    assert level <= 2.0


# ---- flags ----

def test_metrics_have_addresses_of_their_own(tmp_path):
    client, peer, metrics = free_ports(3)
    store = make_store(tmp_path, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    store.command += ["--listen-metrics-urls", f"http://127.0.0.1:{metrics}", "--experimental-warning-apply-duration", "1us"]
    store.start()
    try:
        store.wait_ready()
        for path in ("/metrics", "/health"):
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics}{path}", timeout=5) as own, \
                    urllib.request.urlopen(f"{store.url}{path}", timeout=5) as clients:
                assert own.status == clients.status == 200
                assert own.headers["Content-Type"] == clients.headers["Content-Type"]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{metrics}/v2/keys/", timeout=5)
        assert store.request("PUT", "/v2/keys/a", {"value": "b"})[0] == 201
        assert "(--experimental-warning-apply-duration)" in store.log.read_text()
        assert store.terminate() == 0
    finally:
        store.kill()


def test_members_that_lag_by_less_than_the_catchup_entries_need_no_snapshot(tmp_path):
    for kept, wanted in ((1000, False), (5, True)):
        folder = tmp_path / str(kept)
        folder.mkdir()
        with Cluster(folder, 3, ["--snapshot-count", "20", "--snapshot-catchup-entries", str(kept)]) as cluster:
            leader = cluster.leader()
            behind = next(store for store in cluster.stores if store is not leader)
            behind.kill()
            for number in range(120):
                assert leader.request("PUT", f"/v2/keys/{number}", {"value": "b"})[0] == 201
            behind.start()
            behind.wait_ready()
            with urllib.request.urlopen(f"{behind.url}/metrics", timeout=5) as answer:
                received = re.search(r"^faering_store_snapshots_received_total (\d+)", answer.read().decode(), re.M)
            assert (int(received.group(1)) > 0) is wanted, kept


def test_all_settings_from_a_file(tmp_path):
    client, peer, other = free_ports(3)
    store = make_store(tmp_path, "m0", [client, peer], f"m0=http://127.0.0.1:{peer}")
    config = tmp_path / "etcd.yml"
    config.write_text(f"name: m0\ndata-dir: {store.data}\nlisten-client-urls: {store.url}\nadvertise-client-urls: {store.url}\n"
                      f"listen-peer-urls: {store.peer_url}\ninitial-advertise-peer-urls: {store.peer_url}\n"
                      f"initial-cluster: m0={store.peer_url}\nlogger: zap\nlog-outputs: [stderr]\n"
                      f"client-transport-security:\n  cert-file:\n  auto-tls: false\n")
    store.command = [store.command[0], "--config-file", str(config), "--listen-client-urls", f"http://127.0.0.1:{other}"]
    store.environment["ETCD_NAME"] = "another"
    store.start()
    try:
        store.wait_ready()
        assert store.request("GET", "/v2/stats/self")[2]["name"] == "m0"
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", other)).close()
    finally:
        store.kill()
    config.write_text("name: m0\nlisten-client-url: x\n")
    wrong = subprocess.run([*store.command[:1]], env={"ETCD_CONFIG_FILE": str(config)}, capture_output=True, text=True)
    assert wrong.returncode == 2
    assert f"{config}, line 2, column 1: unknown key listen-client-url; did you mean listen-client-urls?" in wrong.stderr


def test_cipher_suites_are_those_of_the_flag(tmp_path):
    authority = Authority(tmp_path / "tls")
    context = ssl.create_default_context(cafile=str(authority.cert))
    client, peer = free_ports(2)
    store = Store(tmp_path, "m0", client, peer, f"m0=https://127.0.0.1:{peer}", ["--cipher-suites", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
                  False, context)
    pair = authority.issue("server")
    store.command += [*pair.flags(), *pair.flags("peer-")]
    store.start()
    try:
        store.wait_ready()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with context.wrap_socket(socket.create_connection(("127.0.0.1", client)), server_hostname="127.0.0.1") as one:
            assert one.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(socket.create_connection(("127.0.0.1", client)), server_hostname="127.0.0.1")
    finally:
        store.kill()
