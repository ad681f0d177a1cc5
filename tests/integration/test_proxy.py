"""--proxy before a cluster of ours, and before Debian's etcd where it is installed."""
import http.client
import json
import time
from pathlib import Path

import pytest

from stores import START_SECONDS, Cluster, Store, free_ports, stock_etcd


def proxy_for(folder: Path, peer_url: str, *extra: str) -> Store:
    client, peer = free_ports(2)
    return Store(folder, "proxy", client, peer, f"m0={peer_url}", ["--proxy", "on", *extra], False)


@pytest.fixture
def begin(tmp_path: Path):
    """Starts proxies, and ends them with the test."""
    running: list[Store] = []

    def start(peer_url: str, *extra: str, ready: bool = True) -> Store:
        store = proxy_for(tmp_path, peer_url, *extra)
        running.append(store)
        store.start()
        if ready:
            store.wait_ready()
        return store

    yield start
    for store in running:
        if store.process.poll() is None:
            store.kill()


def wait_until(happens, what: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not happens():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def watchers(store: Store) -> int:
    return store.request("GET", "/v2/stats/store")[2]["watchers"]


def test_reads_writes_and_errors_go_through(tmp_path: Path, begin):
    with Cluster(tmp_path, 1) as cluster:
        proxy = begin(cluster.stores[0].peer_url)
        status, headers, body = proxy.request("PUT", "/v2/keys/a", {"value": "1"})
        assert status == 201 and body["node"]["value"] == "1" and int(headers["x-etcd-index"]) > 0
        assert proxy.request("GET", "/v2/keys/none")[0] == 404
        assert cluster.stores[0].request("GET", "/v2/keys/a")[2]["node"]["value"] == "1"
        assert proxy.request("GET", "/v2/config/local/proxy")[2] == {"endpoints": [cluster.stores[0].url]}
        assert json.loads((proxy.data / "proxy/cluster").read_text()) == {"PeerURLs": [cluster.stores[0].peer_url]}
        assert not [one for one in proxy.data.iterdir() if one.name != "proxy"]
        head = http.client.HTTPConnection("127.0.0.1", proxy.client, timeout=5)
        head.request("HEAD", "/v2/keys/a")
        assert head.getresponse().status == 200
        assert proxy.terminate() == 0


def test_before_etcd(tmp_path: Path, begin):
    with stock_etcd(tmp_path) as (_, peer):
        proxy = begin(peer)
        assert proxy.request("PUT", "/v2/keys/a", {"value": "1"})[0] == 201


def test_readonly_answers_501_to_writes(tmp_path: Path, begin):
    with Cluster(tmp_path, 1) as cluster:
        proxy = begin(cluster.stores[0].peer_url, "--proxy", "readonly")
        for method in ("PUT", "POST", "DELETE"):
            assert proxy.request(method, "/v2/keys/a", {"value": "1"})[0] == 501
        assert cluster.stores[0].request("GET", "/v2/keys/a")[0] == 404


def test_a_watch_streams_and_ends_with_its_client(tmp_path: Path, begin):
    with Cluster(tmp_path, 1) as cluster:
        store = cluster.stores[0]
        proxy = begin(store.peer_url)
        client = http.client.HTTPConnection("127.0.0.1", proxy.client, timeout=10)
        client.request("GET", "/v2/keys/w?wait=true&stream=true")
        answer = client.getresponse()
        for value in ("1", "2"):
            store.request("PUT", "/v2/keys/w", {"value": value})
            assert json.loads(answer.readline())["node"]["value"] == value
        assert watchers(store) == 1
        answer.close()
        client.close()
        wait_until(lambda: watchers(store) == 0, "the member still has the watch of a client that is gone")


def test_a_member_that_dies_midway_is_seen(tmp_path: Path, begin):
    with Cluster(tmp_path, 1) as cluster:
        proxy = begin(cluster.stores[0].peer_url)
        client = http.client.HTTPConnection("127.0.0.1", proxy.client, timeout=10)
        client.request("GET", "/v2/keys/w?wait=true")
        answer = client.getresponse()
        cluster.stores[0].kill()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
            raise AssertionError("the answer looks whole")


def test_failed_members_are_held_and_others_asked(tmp_path: Path, begin):
    with Cluster(tmp_path, 3) as cluster:
        proxy = begin(cluster.stores[0].peer_url, "--proxy-failure-wait", "300")
        wait_until(lambda: len(proxy.request("GET", "/v2/config/local/proxy")[2]["endpoints"]) == 3, "it does not know all members")
        cluster.stores[0].kill()
        wait_until(lambda: proxy.request("PUT", "/v2/keys/a", {"value": "1"})[0] in (200, 201), "no other member is asked")
        for store in cluster.stores[1:]:
            store.kill()
        time.sleep(0.4)  # all may be tried again
        answers = [proxy.request("GET", "/v2/keys/a") for _ in range(2)]
        assert [(status, body["message"]) for status, _, body in answers] == [
            (502, "httpproxy: unable to get response from 3 endpoint(s)"), (503, "httpproxy: zero endpoints currently available")]


def test_nobody_is_known(tmp_path: Path, begin):
    proxy = begin("http://127.0.0.1:1", ready=False)
    wait_until(lambda: "no member tells who is in the cluster" in (proxy.log.read_text() if proxy.log.exists() else ""), "it does not say so")
    status, _, body = proxy.request("GET", "/v2/keys/")
    assert (status, body) == (503, {"message": "httpproxy: zero endpoints currently available"})
