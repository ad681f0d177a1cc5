"""--proxy before a cluster of ours, and before Debian's etcd where it is installed."""
import base64
import http.client
import json
import ssl
import time
import urllib.error
from pathlib import Path

import pytest

from certificates import Authority
from stores import START_SECONDS, Cluster, Store, free_ports, stock_etcd


def proxy_for(folder: Path, peer_url: str, *extra: str, context: ssl.SSLContext | None = None) -> Store:
    client, peer = free_ports(2)
    return Store(folder, "proxy", client, peer, f"m0={peer_url}", ["--proxy", "on", *extra], False, context)


@pytest.fixture
def begin(tmp_path: Path):
    """Starts proxies, and ends them with the test."""
    running: list[Store] = []

    def start(peer_url: str, *extra: str, ready: bool = True, context: ssl.SSLContext | None = None) -> Store:
        store = proxy_for(tmp_path, peer_url, *extra, context=context)
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


def test_certificates_on_both_sides(tmp_path: Path, begin):
    """The proxy shows the members its own certificate, and asks its clients for theirs."""
    ca = Authority(tmp_path / "certificates")
    server, alice = ca.issue("server"), ca.issue("alice", usage="clientAuth")
    flags = [*server.flags(), *server.flags("peer-"), "--trusted-ca-file", str(ca.cert), "--client-cert-auth", "--peer-trusted-ca-file",
             str(ca.cert), "--peer-client-cert-auth"]
    known, unknown = (ssl.create_default_context(cafile=str(ca.cert)) for _ in range(2))
    known.load_cert_chain(alice.cert, alice.key)
    member_context = ssl.create_default_context(cafile=str(ca.cert))
    member_context.load_cert_chain(server.cert, server.key)
    with Cluster(tmp_path, 3, flags, context=member_context) as cluster:
        proxy = begin(cluster.stores[0].peer_url, *flags, context=known)
        wait_until(lambda: len(proxy.request("GET", "/v2/config/local/proxy")[2]["endpoints"]) == 3, "it does not know all members")
        value = "v" * 3_000_000
        assert proxy.request("PUT", "/v2/keys/big", {"value": value})[0] == 201
        assert proxy.request("GET", "/v2/keys/big?quorum=true")[2]["node"]["value"] == value
        proxy.context = unknown
        with pytest.raises((urllib.error.URLError, OSError)):
            proxy.request("GET", "/v2/keys/big")


def test_users_are_judged_by_the_members(tmp_path: Path, begin):
    def status(password: str) -> int:
        client = http.client.HTTPConnection("127.0.0.1", proxy.client, timeout=10)
        client.request("PUT", "/v2/keys/a", "value=1", {"Authorization": "Basic " + base64.b64encode(f"root:{password}".encode()).decode(),
                                                       "Content-Type": "application/x-www-form-urlencoded"})
        return client.getresponse().status

    def change(path: str, body: dict | None) -> int:
        client = http.client.HTTPConnection("127.0.0.1", proxy.client, timeout=10)
        client.request("PUT", path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        return client.getresponse().status

    with Cluster(tmp_path, 1) as cluster:
        proxy = begin(cluster.stores[0].peer_url)
        assert change("/v2/auth/users/root", {"user": "root", "password": "secret"}) == 201
        assert change("/v2/auth/enable", None) == 200
        wait_until(lambda: change("/v2/auth/roles/guest", {"role": "guest", "revoke": {"kv": {"write": ["/*"]}}}) == 401, "it is not enabled")
        assert status("secret") == 201
        assert status("wrong") == 401
