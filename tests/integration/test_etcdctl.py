"""etcdctl by its old name: what it says is what etcdctl 3.4.23 was recorded to say (tests/etcdctl), against our own server."""
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from nameserver import run_with_names
from stores import BUILD, Cluster, Store, free_ports

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "etcdctl"))
from sessions import SESSIONS  # noqa: E402
from transcripts import Player, read, shown  # noqa: E402

FAERING = str(BUILD / "src/cli/faering")
SECONDS = 20


@pytest.fixture
def etcdctl(tmp_path: Path) -> str:
    link = tmp_path / "etcdctl"
    link.symlink_to(FAERING)
    return str(link)


def clean_environment(**more: str) -> dict[str, str]:
    return {**{key: value for key, value in os.environ.items() if not key.startswith("ETCD")}, **more}


def run(*words: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, env=clean_environment(), **more)


def has_auth(store: Store) -> bool:
    try:
        urllib.request.urlopen(f"{store.url}/v2/auth/enable", timeout=SECONDS).close()
    except urllib.error.HTTPError as error:
        return error.code != 404
    return True


@pytest.mark.parametrize("name", SESSIONS)
def test_says_what_etcdctl_says(name: str, tmp_path: Path, etcdctl: str):
    recorded = read(name)
    assert [step["step"] for step in recorded["steps"]] == SESSIONS[name], "tests/etcdctl/record.py has to record it anew"
    with Cluster(tmp_path, 1) as cluster:
        store = cluster.stores[0]
        if name == "auth" and not has_auth(store):
            pytest.skip("this server has no /v2/auth")
        player = Player([etcdctl], store.url, f"http://127.0.0.1:{store.peer}", f"http://127.0.0.1:{free_ports(1)[0]}")
        problems = []
        try:
            for step in recorded["steps"]:
                said = player.step(step["step"])
                if said != step["said"]:
                    problems.append(f"{shown(step['step'])}\n  wanted {step['said']}\n  said   {said}")
        finally:
            player.close()
        assert not problems, f"{len(problems)} of {len(recorded['steps'])}:\n" + "\n".join(problems)


# ---- watches that outlive members


class Watch:
    """A watch in the background, whose lines are gathered."""

    def __init__(self, *words: str):
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())
        self.lines: list[str] = []
        self.thread = threading.Thread(target=lambda: self.lines.extend(self.gather()), daemon=True)
        self.seen: list[str] = []
        self.thread.start()

    def gather(self):
        for line in self.process.stdout:
            self.seen.append(line.rstrip("\n"))
            yield line

    def wait(self, lines: list[str]) -> None:
        end = time.monotonic() + SECONDS
        while self.seen != lines and time.monotonic() < end and self.process.poll() is None:
            time.sleep(0.02)
        assert self.seen == lines

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=SECONDS)
        self.thread.join()
        return code, self.process.stderr.read()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def put(store: Store, value: str) -> None:
    """Also while the cluster finds a new leader."""
    end = time.monotonic() + SECONDS
    while store.request("PUT", "/v2/keys/k", {"value": value})[0] not in (200, 201):
        assert time.monotonic() < end, "nothing can be written"
        time.sleep(0.05)


def wait_watched(store: Store, count: int = 1) -> None:
    end = time.monotonic() + SECONDS
    while store.request("GET", "/v2/stats/store")[2]["watchers"] < count:
        assert time.monotonic() < end, "nobody watches"
        time.sleep(0.02)


@pytest.mark.parametrize("verb", ["watch", "exec-watch"])
@pytest.mark.parametrize("old", [True, False])
def test_watch_outlives_the_member_it_watches(verb: str, old: bool, tmp_path: Path, etcdctl: str):
    with Cluster(tmp_path, 3) as cluster:
        # not the leader at first: who asked it waits until it is clear that it is gone
        first, second, third = sorted(cluster.stores, key=lambda one: one is cluster.leader())
        words = ["watch", "--forever", "/k"] if verb == "watch" else ["exec-watch", "--recursive", "/k", "--", "sh", "-c", "echo $ETCD_WATCH_VALUE"]
        watch = Watch(*([etcdctl] if old else [FAERING, "store"]), "--endpoints", first.url, *words)
        try:
            wait_watched(first)
            first.kill()  # before there was any event: what it said of the index is where the next one goes on
            put(second, "1")
            watch.wait(["1"])
            put(second, "2")
            watch.wait(["1", "2"])
            first.start()
            first.wait_ready()
            watched = next(one for one in (second, third) if one.request("GET", "/v2/stats/store")[2]["watchers"])
            watched.kill()
            for value in ("3", "4", "5"):
                put(first, value)
                if verb == "exec-watch":
                    watch.wait([*"12", *"345"[:int(value) - 2]])
            watch.wait([*"12345"])
            assert watch.end() == (0, "")
        finally:
            watch.close()


@pytest.mark.parametrize("old", [True, False])
def test_watch_goes_on_behind_events_that_the_store_forgot(old: bool, tmp_path: Path, etcdctl: str):
    """The watch is stopped while more happens than the store remembers, and its connection is cut."""
    with Cluster(tmp_path, 2) as cluster:
        first, second = cluster.stores
        watch = Watch(*([etcdctl] if old else [FAERING, "store"]), "--endpoints", f"{first.url},{second.url}", "watch", "-f", "/k")
        try:
            wait_watched(first)
            first.request("PUT", "/v2/keys/k", {"value": "1"})
            watch.wait(["1"])
            wait_watched(first)
            watch.process.send_signal(signal.SIGSTOP)
            for i in range(1100):
                second.request("PUT", "/v2/keys/other", {"value": str(i)})
            assert first.terminate() == 0
            first.start()
            first.wait_ready()
            watch.process.send_signal(signal.SIGCONT)
            end = time.monotonic() + SECONDS
            while not any(one.request("GET", "/v2/stats/store")[2]["watchers"] for one in cluster.stores):
                assert time.monotonic() < end
                time.sleep(0.02)
            put(second, "2")
            watch.wait(["1", "2"])
            code, text = watch.end()
            assert code == 0
            assert "may be missed" in text and "Going on" in text
        finally:
            watch.close()


def test_without_any_member_the_old_watch_ends_and_the_new_waits(tmp_path: Path, etcdctl: str):
    with Cluster(tmp_path, 1) as cluster:
        store = cluster.stores[0]
        old = Watch(etcdctl, "--endpoints", store.url, "watch", "-f", "/k")
        new = Watch(FAERING, "store", "--endpoints", store.url, "watch", "-f", "/k")
        try:
            wait_watched(store, 2)
            store.kill()
            assert old.process.wait(timeout=SECONDS) == 4
            assert old.process.stderr.read().startswith("Error:  client: etcd cluster is unavailable or misconfigured; error #0: ")
            store.start()
            store.wait_ready()
            store.request("PUT", "/v2/keys/k", {"value": "back"})
            new.wait(["back"])
            code, text = new.end()
            assert code == 0 and "no member answers" in text and "Waiting for a member" in text
        finally:
            old.close()
            new.close()


# ---- several endpoints, time limits, secrets


def test_endpoint_that_says_nothing_is_passed_over(tmp_path: Path, etcdctl: str):
    with Cluster(tmp_path, 1) as cluster, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url, mute = cluster.stores[0].url, f"http://127.0.0.1:{silent.getsockname()[1]}"
        begin = time.monotonic()
        done = run(etcdctl, "--timeout", "300ms", "--no-sync", "--endpoints", f"{mute},{url}", "set", "/a", "1")
        assert (done.returncode, done.stdout) == (0, "1\n")
        assert 0.3 <= time.monotonic() - begin < 3
        done = run(etcdctl, "--timeout", "300ms", "--no-sync", "--endpoints", mute, "set", "/a", "1")
        assert done.returncode == 4 and f"client: endpoint {mute} exceeded header timeout" in done.stderr
        done = run(etcdctl, "--timeout", "5s", "--total-timeout", "300ms", "--endpoints", mute, "set", "/a", "1")
        assert (done.returncode, done.stderr) == (2, "Error:  context deadline exceeded\n")
        # what must not be done twice is sent once
        done = run(etcdctl, "--timeout", "300ms", "--no-sync", "--endpoints", f"{mute},{url}", "rm", "/a")
        assert done.returncode == 4 and done.stderr == f"Error:  client: endpoint {mute} exceeded header timeout\n"


def test_debug_shows_no_secret(tmp_path: Path, etcdctl: str):
    with Cluster(tmp_path, 1) as cluster:
        url = cluster.stores[0].url
        for words in (["-u", "root:hush", "get", "/a"], ["user", "add", "someone:hush"]):
            done = run(etcdctl, "--debug", "--endpoints", url, *words)
            assert "cURL Command: curl" in done.stderr
            assert "hush" not in done.stderr + done.stdout and "cm9vdDpodXNo" not in done.stderr
        done = run(etcdctl, "--debug", "--endpoints", url, "user", "passwd", "someone", input="hush\n")
        assert "/v2/auth/users/someone" in done.stderr and "hush" not in done.stderr + done.stdout


@pytest.mark.parametrize(("keys", "ended"), [(b"hush\n", 4 << 8), (b"\x03", int(signal.SIGINT))])
def test_password_is_asked_for_without_echo(keys: bytes, ended: int, etcdctl: str):
    child, terminal = pty.fork()
    if child == 0:
        os.execv(etcdctl, ["etcdctl", "--no-sync", "--endpoints", "http://127.0.0.1:1", "-u", "root", "get", "/a"])
    shown = b""
    try:
        while not shown.endswith(b"Password: "):
            shown += os.read(terminal, 1000)
        # the prompt stands there before the echo is off
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            time.sleep(0.01)
        os.write(terminal, keys)
        while piece := os.read(terminal, 1000):
            shown += piece
    except OSError:
        pass  # the end of it
    finally:
        os.close(terminal)
    assert os.waitpid(child, 0)[1] == ended
    assert b"hush" not in shown


# ---- our own voice


def test_own_voice_says_why_and_what_next(tmp_path: Path):
    def store(*words: str) -> subprocess.CompletedProcess:
        return run(FAERING, "store", *words)

    with Cluster(tmp_path, 3) as cluster:
        url = cluster.stores[0].url
        done = store("--endpoints", url, "get", "/none")
        assert done.returncode == 4 and "/none: Key not found" in done.stderr and "faering store ls" in done.stderr
        done = store("gte", "/a")
        assert done.returncode == 2 and 'did you mean "get"?' in done.stderr
        done = store("member", "lits")
        assert done.returncode == 2 and 'did you mean "member list"?' in done.stderr
        done = store("ls", "--recusive")
        assert done.returncode == 2 and "did you mean --recursive?" in done.stderr
        assert store("ls", "/", "-o", "json", "--endpoints", url).stdout.startswith('{"action":"get"')  # global flags behind the verb, too
        lines = store("--endpoints", url, "member", "list").stdout.splitlines()
        assert lines[0].split()[:3] == ["MEMBER", "NAME", "ROLE"] and len(lines) == 4
        assert sorted(line.split()[2] for line in lines[1:]) == ["follower", "follower", "leader"]
        assert len({line.index("http://") for line in lines[1:]}) == 1
        assert len(store("--endpoints", url, "--no-legend", "member", "list").stdout.splitlines()) == 3
        assert len(json.loads(store("--endpoints", url, "-o", "json", "member", "list").stdout)["members"]) == 3

        # without the leader the others would have none for a moment
        dead, left = sorted(cluster.stores[1:], key=lambda one: one.is_leader())
        dead.kill()
        done = store("--endpoints", url, "health")
        assert done.returncode == 5 and "with 2 of 3 members; it needs 2" in done.stdout and f"{dead.name}: " in done.stdout
        found = json.loads(store("--endpoints", url, "health", "-o", "json").stdout)
        assert (found["cluster"], found["healthy"], found["needed"]) == ("degraded", 2, 2)
        assert {one["name"]: one["health"] for one in found["members"]} == {"m0": "healthy", dead.name: "unreachable", left.name: "healthy"}
        left.kill()
        done = store("--endpoints", url, "health")
        assert done.returncode == 5 and "The cluster does not work" in done.stdout
    done = store("--endpoints", url, "get", "/a")
    assert done.returncode == 2 and "no member answers" in done.stderr and url in done.stderr


# ---- backup


@pytest.mark.parametrize("running", [True, False])
def test_backup_begins_a_cluster_of_its_own(running: bool, tmp_path: Path, etcdctl: str):
    with Cluster(tmp_path, 3) as cluster:
        store = cluster.stores[0]
        for i in range(200):
            store.request("PUT", f"/v2/keys/k{i % 20}", {"value": str(i)})
        store.request("PUT", "/v2/keys/ttl", {"value": "x", "ttl": "1000"})
        before = store.tree()
        if not running:
            for one in cluster.stores:
                one.kill()
        done = run(etcdctl, "backup", "--data-dir", str(store.data), "--backup-dir", str(tmp_path / "copy"))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        done = run(FAERING, "store", "backup", "--data-dir", str(store.data), "--backup-dir", str(tmp_path / "copy"))
        assert done.returncode == 1 and "is not empty" in done.stderr

        client, peer = free_ports(2)
        copy = Store(tmp_path, "copy", client, peer, f"copy=http://127.0.0.1:{peer}", ["--force-new-cluster"], False)
        try:
            copy.start()
            copy.wait_ready()
            after = copy.tree()
            for tree in (before, after):
                for node in tree["nodes"]:
                    if "ttl" in node:
                        assert node.pop("ttl") > 900
            assert after == before
            assert len(copy.members()[1]["members"]) == 1
            assert copy.id() not in [one["id"] for one in (store.members()[1]["members"] if running else [])]
            assert copy.request("PUT", "/v2/keys/new", {"value": "1"})[0] == 201
        finally:
            copy.process.kill()
            copy.process.wait()


def test_backup_says_what_it_cannot_read(tmp_path: Path):
    def backup(source: Path, target: str = "copy") -> tuple[int, str]:
        done = run(FAERING, "store", "backup", "--data-dir", str(source), "--backup-dir", str(tmp_path / target))
        return done.returncode, done.stderr

    (tmp_path / "empty").mkdir()
    assert backup(tmp_path / "none")[0] == 1 and "cannot open" in backup(tmp_path / "none")[1]
    assert "holds no log of a store" in backup(tmp_path / "empty")[1]
    (tmp_path / "etcd/member/wal").mkdir(parents=True)
    code, text = backup(tmp_path / "etcd")
    assert code == 1 and "data directory of etcd" in text and "over its API" in text
    with Cluster(tmp_path, 1) as cluster:
        store = cluster.stores[0]
        for i in range(50):
            store.request("PUT", "/v2/keys/k", {"value": "v" * 100})
        store.kill()
        log = sorted(store.data.glob("log-*"))[0]
        bytes_ = bytearray(log.read_bytes())
        bytes_[40] ^= 1
        log.write_bytes(bytes_)
        code, text = backup(store.data)
        assert code == 1 and "is damaged at byte" in text and log.name in text
    assert not list((tmp_path / "copy").glob("*"))


# ---- SRV records

def test_endpoints_come_from_srv_records(tmp_path: Path, etcdctl: str):
    """In a network namespace of its own, with a name server that knows one domain."""
    records = {"_etcd-client._tcp.example.test": [(20, 2), (10, 1)]}

    def ask(*words: str) -> subprocess.CompletedProcess:
        return run_with_names(tmp_path, records, etcdctl, "--debug", "--no-sync", *words)

    done = ask("--discovery-srv", "example.test", "--insecure-discovery", "get", "/a")
    assert done.returncode == 4
    assert "Cluster-Endpoints: http://host.example.test:1, http://host.example.test:2\n" in done.stderr
    assert "error #1: dial tcp host.example.test:2: connect: connection refused" in done.stderr
    done = ask("-D", "example.test", "get", "/a")
    assert 'ignoring discovered insecure endpoint "http://host.example.test:1"' in done.stderr
    assert "Cluster-Endpoints: http://127.0.0.1:2379, http://127.0.0.1:4001\n" in done.stderr
    done = ask("-D", "nothing.test", "get", "/a")
    assert done.returncode == 1 and "no endpoints of nothing.test" in done.stderr
