"""Founders that find each other by a token's URL or by DNS."""
import re
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from nameserver import run_with_names
from stores import BUILD, START_SECONDS, Cluster, Store, free_ports, stock_etcd

OURS = "faering-store"


@pytest.fixture(params=[OURS, "etcd"])
def token_server(request: pytest.FixtureRequest, tmp_path: Path):
    """URL of a running v2 store's keys: ours, and Debian's where it is installed."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    if request.param == OURS:
        with Cluster(folder, 1) as cluster:
            yield cluster.stores[0].url
        return
    with stock_etcd(folder) as (client, _):
        yield client


def put(url: str, value: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=f"value={value}".encode(), method="PUT"), timeout=10):
        pass


def founder(folder: Path, name: str, *extra: str) -> Store:
    client, peer = free_ports(2)
    return Store(folder, name, client, peer, "", list(extra), False)


def wait_log(store: Store, text: str) -> None:
    end = time.monotonic() + START_SECONDS
    while text not in (store.log.read_text() if store.log.exists() else ""):
        assert time.monotonic() < end, f"{store.name} does not say \"{text}\":\n{store.log.read_text()[-2000:]}"
        time.sleep(0.05)


def wait_names(store: Store, names: set[str]) -> None:
    """Members say their names a moment after they serve."""
    end = time.monotonic() + START_SECONDS
    while {one["name"] for one in store.members()[1]["members"]} != names:
        assert time.monotonic() < end, store.members()[1]
        time.sleep(0.05)


@pytest.fixture
def ending():
    """Stores that are ended with the test."""
    stores: list[Store] = []
    yield stores
    for store in stores:
        if store.process and store.process.poll() is None:
            store.kill()


def test_three_meet_by_url_and_a_fourth_comes_too_late(tmp_path: Path, token_server: str, ending: list[Store]):
    token = f"{token_server}/v2/keys/discovery/t1"
    put(f"{token}/_config/size", "3")
    stores = [founder(tmp_path, f"n{i}", "--discovery", token) for i in range(3)]
    ending += stores
    for store in stores[:2]:
        store.start()
    wait_log(stores[0], "2 of 3 founders have come")
    stores[1].kill()  # before the cluster stands: its registration is found again
    stores[1].start()
    wait_log(stores[1], "2 of 3 founders have come")
    stores[2].start()
    for store in stores:
        store.wait_ready()
    wait_names(stores[0], {"n0", "n1", "n2"})
    assert {one["peerURLs"][0] for one in stores[0].members()[1]["members"]} == {store.peer_url for store in stores}
    late = founder(tmp_path, "n3", "--discovery", token, "--discovery-fallback", "exit")
    ending.append(late)
    late.start()
    assert late.wait_end() == 1
    assert "the cluster is full: 3 other members have come first" in late.log.read_text()
    proxy = founder(tmp_path, "n4", "--discovery", token)
    ending.append(proxy)
    proxy.start()
    proxy.wait_ready()
    assert proxy.request("PUT", "/v2/keys/by-proxy", {"value": "1"})[0] == 201
    assert stores[0].request("GET", "/v2/keys/by-proxy?quorum=true")[2]["node"]["value"] == "1"
    assert len(stores[0].members()[1]["members"]) == 3


def test_a_token_made_by_the_command_line_tool(tmp_path: Path, token_server: str, ending: list[Store]):
    new = [str(BUILD / "src/cli/faering"), "store", "--endpoints", f"{token_server}/", "discovery", "new", "--size", "1"]
    done = subprocess.run(new, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    assert re.fullmatch(re.escape(token_server) + "/v2/keys/discovery/[0-9a-f]{32}", token)
    assert "Only this machine finds 127.0.0.1" in done.stderr
    assert subprocess.run(new, capture_output=True, text=True).stdout.strip() != token
    alone = founder(tmp_path, "alone", "--discovery", token)
    ending.append(alone)
    alone.start()
    alone.wait_ready()
    for size in ("0", "65"):
        wrong = subprocess.run([*new[:-1], size], capture_output=True, text=True)
        assert wrong.returncode == 2 and "1 to 64 members" in wrong.stderr


def test_with_data_the_token_is_not_asked(tmp_path: Path, ending: list[Store]):
    with Cluster(tmp_path, 1) as tokens:
        token = f"{tokens.stores[0].url}/v2/keys/t"
        put(f"{token}/_config/size", "1")
        alone = founder(tmp_path, "alone", "--discovery", token)
        ending.append(alone)
        alone.start()
        alone.wait_ready()
        id = alone.id()
        assert tokens.stores[0].request("GET", f"/v2/keys/t/{id}")[2]["node"]["value"] == f"alone={alone.peer_url}"
    alone.kill()
    alone.start()  # the token's server is gone
    alone.wait_ready()
    assert alone.id() == id


@pytest.mark.parametrize("size,says", [
    (None, "there is no such discovery token"),
    ("three", '_config/size is "three", but must be a number of members'),
])
def test_tokens_that_cannot_be_used(tmp_path: Path, ending: list[Store], size: str | None, says: str):
    with Cluster(tmp_path, 1) as tokens:
        token = f"{tokens.stores[0].url}/v2/keys/t"
        if size:
            put(f"{token}/_config/size", size)
        store = founder(tmp_path, "n", "--discovery", token)
        ending.append(store)
        store.start()
        assert store.wait_end() == 1
        assert says in store.log.read_text()


def test_a_server_that_is_away_is_waited_for(tmp_path: Path, ending: list[Store]):
    tokens = Cluster(tmp_path, 1)
    token = f"{tokens.stores[0].url}/v2/keys/t"
    store = founder(tmp_path, "n", "--discovery", token)
    ending.append(store)
    store.start()
    wait_log(store, "asking again in 1 s")
    with tokens:
        put(f"{token}/_config/size", "1")
        store.wait_ready()


MEMBERS = r"""
import json, subprocess, sys, time, urllib.request

program, folder = sys.argv[1:3]
ports = sys.argv[3].split(",")
running = []
for i, port in enumerate(ports):
    client, peer = f"http://127.0.0.1:{2001 + i}", f"http://127.0.0.1:{port}"
    running.append(subprocess.Popen([program, "--name", f"n{i}", "--data-dir", f"{folder}/n{i}", "--discovery-srv", "example.test",
        "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
        "--initial-advertise-peer-urls", peer]))
try:
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen("http://127.0.0.1:2001/v2/keys/?quorum=true", timeout=2):
                break
        except OSError:
            assert time.monotonic() < end and running[0].poll() is None
            time.sleep(0.05)
    with urllib.request.urlopen("http://127.0.0.1:2001/v2/members", timeout=5) as answer:
        print(sorted(one["peerURLs"][0] for one in json.load(answer)["members"]))
finally:
    for one in running:
        one.kill()
        one.wait()
"""


def by_dns(folder: Path, records: list[int], ports: list[int]) -> subprocess.CompletedProcess:
    """Members at `ports`, where DNS names those at `records`."""
    (folder / "members.py").write_text(MEMBERS)
    program = founder(folder, "unused").command[0]
    return run_with_names(folder, {"_etcd-server._tcp.example.test": [(0, port) for port in records]}, "/usr/bin/python3", f"{folder}/members.py",
                          program, str(folder), ",".join(map(str, ports)))


def test_three_meet_by_srv_records(tmp_path: Path):
    done = by_dns(tmp_path, [1001, 1002, 1003], [1001, 1002, 1003])
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{[f'http://host.example.test:{port}' for port in (1001, 1002, 1003)]}\n"


def test_a_member_that_the_srv_records_do_not_name(tmp_path: Path):
    done = by_dns(tmp_path, [1001, 1002], [1003])
    assert done.returncode == 1
    assert "none of the SRV records of example.test" in done.stderr
