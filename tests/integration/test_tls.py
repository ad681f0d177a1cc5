"""TLS of the real programs: clients, members and fleet's API; certificates that are missing, foreign, renewed."""
import json
import os
import re
import ssl
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from certificates import Authority, Pair
from fleets import Machine
from stores import BUILD, Cluster, Store, free_ports

FAST = ["--heartbeat-interval", "20", "--election-timeout", "200"]
WAIT_SECONDS = 20


@pytest.fixture(scope="module")
def ca(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(ca) -> Pair:
    return ca.issue("server")


@pytest.fixture(scope="module")
def alice(ca) -> Pair:
    return ca.issue("alice", "DNS:alice.example.com", "clientAuth")


def context_of(ca: Authority, own: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca.cert))
    if own:
        context.load_cert_chain(own.cert, own.key)
    return context


def tls_cluster(folder: Path, count: int, ca: Authority, server: Pair, own: Pair | None, extra: list[str] | None = None) -> Cluster:
    """Members with one certificate for clients and for each other; `own`: clients must show one, and the test shows this."""
    context = context_of(ca, server if own is None else own)
    flags = [*server.flags(), *server.flags("peer-"), "--peer-trusted-ca-file", str(ca.cert), *(["--trusted-ca-file", str(ca.cert)] if own else [])]
    return Cluster(folder, count, [*FAST, *flags, *(extra or [])], context=context)


def curl(url: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["curl", "-sS", "--max-time", "10", *words, url], capture_output=True, text=True)


def etcdctl(folder: Path, *words: str, env: dict | None = None) -> subprocess.CompletedProcess:
    link = folder / "etcdctl"
    if not link.exists():
        link.symlink_to(BUILD / "src/cli/faering")
    own = {key: value for key, value in os.environ.items() if not key.startswith("ETCDCTL_")}
    return subprocess.run([str(link), *words], capture_output=True, text=True, env={**own, **(env or {})}, timeout=30)


def wait_log(log: Path, text: str) -> str:
    """Until a line has it."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        for line in log.read_text().splitlines():
            if text in line:
                return line
        time.sleep(0.05)
    raise AssertionError(f"\"{text}\" is not in:\n{log.read_text()[-3000:]}")


# ---- clients ----


def test_one_member_serves_https(tmp_path, ca, server):
    with tls_cluster(tmp_path, 1, ca, server, None) as cluster:
        store = cluster.stores[0]
        assert store.request("PUT", "/v2/keys/a", {"value": "b"})[0] == 201
        done = curl(f"{store.url}/v2/keys/a", "--cacert", str(ca.cert))
        assert json.loads(done.stdout)["node"]["value"] == "b"
        assert curl(f"https://localhost:{store.client}/version", "--cacert", str(ca.cert), "--tlsv1.2", "--tls-max", "1.2").returncode == 0
        assert curl(f"{store.url}/version").returncode == 60  # an authority that the system does not know
        assert curl(f"{store.url}/version", "--cacert", str(ca.cert), "--tls-max", "1.1").returncode != 0
        big = "v" * 3_000_000
        assert store.request("PUT", "/v2/keys/big", {"value": big})[0] == 201
        assert store.request("GET", "/v2/keys/big")[2]["node"]["value"] == big


def test_a_watcher_waits_over_tls(tmp_path, ca, server):
    with tls_cluster(tmp_path, 1, ca, server, None) as cluster:
        store, heard = cluster.stores[0], []
        watcher = threading.Thread(target=lambda: heard.append(store.request("GET", "/v2/keys/w?wait=true", timeout=30)))
        watcher.start()
        time.sleep(0.3)
        assert store.request("PUT", "/v2/keys/w", {"value": "now"})[0] == 201
        watcher.join(timeout=10)
        assert heard[0][2]["node"]["value"] == "now"


def test_http_to_a_port_of_https_hears_so(tmp_path, ca, server):
    with tls_cluster(tmp_path, 1, ca, server, None) as cluster:
        store = cluster.stores[0]
        done = curl(f"http://127.0.0.1:{store.client}/v2/keys/a", "-i", "-X", "PUT", "-d", "value=" + "x" * 100_000)
        assert done.stdout.startswith("HTTP/1.1 400 Bad Request") and "This port speaks HTTPS" in done.stdout
        wait_log(store.log, "it speaks HTTP to a port of HTTPS")


def test_http_and_https_side_by_side(tmp_path, ca, server):
    plain, secure, peer = free_ports(3)
    store = Store(tmp_path, "m0", secure, peer, f"m0=http://127.0.0.1:{peer}", server.flags(), False, context_of(ca))
    store.peer_url = f"http://127.0.0.1:{peer}"
    store.command = [word.replace(f"https://127.0.0.1:{peer}", store.peer_url) for word in store.command]
    at = store.command.index("--listen-client-urls") + 1
    store.command[at] += f",http://127.0.0.1:{plain}"
    store.start()
    try:
        store.wait_ready()
        with urllib.request.urlopen(f"http://127.0.0.1:{plain}/version", timeout=5) as answer:
            assert answer.status == 200
    finally:
        store.kill()


def test_clients_must_show_a_certificate(tmp_path, ca, server, alice):
    stranger = Authority(tmp_path / "other", "other").issue("stranger")
    with tls_cluster(tmp_path, 1, ca, server, alice) as cluster:
        store = cluster.stores[0]
        own = ["--cert", str(alice.cert), "--key", str(alice.key)]
        assert curl(f"{store.url}/version", "--cacert", str(ca.cert), *own).returncode == 0
        without = curl(f"{store.url}/version", "--cacert", str(ca.cert))
        assert without.returncode == 56 and "certificate required" in without.stderr
        wait_log(store.log, "was refused: the client showed no certificate")
        time.sleep(1.1)  # one refusal a second is logged
        foreign = curl(f"{store.url}/version", "--cacert", str(ca.cert), "--cert", str(stranger.cert), "--key", str(stranger.key))
        assert foreign.returncode == 56 and "unknown ca" in foreign.stderr.lower()
        wait_log(store.log, "signed by an authority (CN=other) that --trusted-ca-file")


def test_etcdctl_takes_certificates(tmp_path, ca, server, alice):
    with tls_cluster(tmp_path, 3, ca, server, alice) as cluster:
        url = cluster.stores[0].url
        flags = ["--endpoints", url, "--ca-file", str(ca.cert), "--cert-file", str(alice.cert), "--key-file", str(alice.key)]
        assert etcdctl(tmp_path, *flags, "set", "/a", "b").stdout == "b\n"
        health = etcdctl(tmp_path, *flags, "cluster-health")
        assert health.returncode == 0 and health.stdout.count("is healthy: got healthy result from https://") == 3
        env = {"ETCDCTL_ENDPOINT": url, "ETCDCTL_CA_FILE": str(ca.cert), "ETCDCTL_CERT_FILE": str(alice.cert), "ETCDCTL_KEY_FILE": str(alice.key)}
        assert etcdctl(tmp_path, "get", "/a", env=env).stdout == "b\n"
        bad = etcdctl(tmp_path, "--endpoints", url, "--ca-file", str(ca.cert), "get", "/a")
        assert bad.returncode == 4 and "wants a client's certificate" in bad.stderr
        bad = etcdctl(tmp_path, "--endpoints", url, "get", "/a")
        assert bad.returncode == 4 and "this system does not know: --ca-file names" in bad.stderr


def test_a_certificate_of_another_host_is_named(tmp_path, ca):
    other = ca.issue("elsewhere", "DNS:a.example.com,DNS:b.example.com")
    client, peer = free_ports(2)
    store = Store(tmp_path, "m0", client, peer, f"m0=https://127.0.0.1:{peer}", [*other.flags(), *other.flags("peer-")], False, context_of(ca))
    store.start()
    try:
        wait_log(store.log, "leads: this one")
        bad = etcdctl(tmp_path, "--endpoints", store.url, "--ca-file", str(ca.cert), "ls")
        assert bad.returncode == 4
        assert "the server's certificate is for a.example.com, b.example.com, not for 127.0.0.1" in bad.stderr
    finally:
        store.kill()


# ---- members ----


def test_three_members_over_tls(tmp_path, ca, server, alice):
    with tls_cluster(tmp_path, 3, ca, server, alice) as cluster:
        for i, store in enumerate(cluster.stores):
            assert store.request("PUT", f"/v2/keys/from/{i}", {"value": store.name})[0] == 201
        leader = cluster.leader()
        leader.kill()
        assert cluster.leader() is not leader
        leader.start()
        leader.wait_ready()
        cluster.assert_equal_trees()
        added = cluster.add(cluster.stores[0])
        assert added.tree() == cluster.stores[0].tree()
        urls = [url for one in added.members()[1]["members"] for url in one["peerURLs"] + one["clientURLs"]]
        assert len(urls) == 8 and all(url.startswith("https://") for url in urls)


def test_a_snapshot_comes_over_tls(tmp_path, ca, server):
    with tls_cluster(tmp_path, 3, ca, server, None, ["--snapshot-count", "50"]) as cluster:
        away = next(store for store in cluster.stores if not store.is_leader())
        there = [store for store in cluster.stores if store is not away]
        away.kill()

        def write(worker: int) -> None:
            for i in range(700):
                assert there[worker % 2].request("PUT", f"/v2/keys/s/{worker}-{i % 20}", {"value": "v" * 500})[0] in (200, 201)

        threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        away.start()
        away.wait_ready()
        cluster.assert_equal_trees()
        assert any("snapshot" in path.name for path in away.data.iterdir())


def test_a_member_with_a_foreign_certificate_stays_outside(tmp_path, ca, server):
    stranger = Authority(tmp_path / "other", "other").issue("stranger")
    cluster = tls_cluster(tmp_path, 3, ca, server, None)
    outside = cluster.stores[2]
    at = outside.command.index("--peer-cert-file")
    outside.command[at:at + 4] = stranger.flags("peer-")
    inside = cluster.stores[:2]
    try:
        for store in cluster.stores:
            store.start()
        for store in inside:
            store.wait_ready()
        assert inside[0].request("PUT", "/v2/keys/a", {"value": "b"})[0] == 201
        wait_log(inside[0].log, "a member at 127.0.0.1")
        wait_log(inside[0].log, "the client's certificate (CN=stranger) is signed by an authority (CN=other) that --peer-trusted-ca-file")
        wait_log(outside.log, f"by TLS: {inside[0].peer_url}: the server does not know the authority that signed this side's certificate")
        line = wait_log(inside[0].log, f"by TLS: {outside.peer_url}: the server's certificate (CN=stranger)")
        assert inside[0].log.read_text().count(line) == 1  # said once, not at each try
        assert outside.request("GET", "/v2/stats/self")[2]["leaderInfo"]["leader"] == "0"
    finally:
        cluster.__exit__()


def test_who_has_no_certificate_is_no_member(tmp_path, ca, server):
    with tls_cluster(tmp_path, 1, ca, server, None) as cluster:
        store = cluster.stores[0]
        done = curl(f"{store.peer_url}/faering/v1/members", "--cacert", str(ca.cert))
        assert done.returncode == 56 and "certificate required" in done.stderr
        assert "a member at" in wait_log(store.log, "the client showed no certificate; it must show one that --peer-trusted-ca-file")
        assert curl(f"{store.peer_url}/faering/v1/members", "--cacert", str(ca.cert), "--cert", str(server.cert), "--key",
                    str(server.key)).returncode == 0


def test_only_the_allowed_cn_is_a_member(tmp_path, ca, server, alice):
    both = ca.issue("mallory")
    with tls_cluster(tmp_path, 1, ca, server, None, ["--peer-cert-allowed-cn", "server"]) as cluster:
        store = cluster.stores[0]
        url, own = f"{store.peer_url}/faering/v1/members", ["--cacert", str(ca.cert)]
        assert curl(url, *own, "--cert", str(server.cert), "--key", str(server.key)).returncode == 0
        assert curl(url, *own, "--cert", str(both.cert), "--key", str(both.key)).returncode == 56
        wait_log(store.log, 'the client\'s certificate is of "mallory"; only "server" is allowed')


def test_automatic_certificates(tmp_path):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Cluster(tmp_path, 3, [*FAST, "--auto-tls", "--peer-auto-tls"], context=context) as cluster:
        assert cluster.stores[0].request("PUT", "/v2/keys/a", {"value": "b"})[0] == 201
        cluster.assert_equal_trees()
        key = cluster.stores[0].data / "fixtures/peer/key.pem"
        assert key.stat().st_mode & 0o777 == 0o600
        store = cluster.stores[0]
        before = (store.data / "fixtures/client/cert.pem").read_text()
        store.kill()
        store.start()
        store.wait_ready()
        assert (store.data / "fixtures/client/cert.pem").read_text() == before


# ---- renewal ----


def test_certificates_are_renewed_under_load(tmp_path, ca):
    live, fresh = ca.issue("live"), [ca.issue("live", file=f"live{i}") for i in range(4)]
    bogus = Authority(tmp_path / "other", "other").issue("bogus")
    # ordinary times of election: a write that meets a change of the leader on a busy machine would be no failure of TLS
    calm = ["--heartbeat-interval", "100", "--election-timeout", "1000"]
    with tls_cluster(tmp_path, 3, ca, live, None, calm) as cluster:
        stopping, failures, done = threading.Event(), [], []
        # each request a connection of its own; the context has the first certificate, which stays valid
        def ask(worker: int) -> None:
            while not stopping.is_set():
                try:
                    status, _, body = cluster.stores[worker % 3].request("PUT", f"/v2/keys/w/{worker}", {"value": "x"})
                    assert status in (200, 201), f"{status} {body}"
                    done.append(worker)
                except Exception as error:  # noqa: BLE001: any failure is one
                    failures.append(repr(error))

        threads = [threading.Thread(target=ask, args=(worker,)) for worker in range(6)]
        for thread in threads:
            thread.start()
        try:
            for pair in fresh:
                time.sleep(1.2)
                live.replace_by(pair)
            time.sleep(1.5)
            shown = ssl.get_server_certificate(("127.0.0.1", cluster.stores[0].client))
            live.cert.write_bytes(bogus.cert.read_bytes())  # not the key's: it is not taken
            time.sleep(2.5)
            assert ssl.get_server_certificate(("127.0.0.1", cluster.stores[0].client)) == shown
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        assert shown.strip() == re.search(r"-----BEGIN.*END CERTIFICATE-----", fresh[-1].cert.read_text(), re.S)[0]
        assert not failures, failures[:3]
        assert len(done) > 100
        log = cluster.stores[0].log.read_text()
        assert log.count(f"{live.cert} changed: new connections use it") >= 4
        assert log.count(f"does not belong to the certificate {live.cert}; until then") in range(1, 6)  # once for each change


def test_a_new_authority_is_taken_up(tmp_path, ca, server):
    """Clients of another authority are let in once the file has it, and members keep speaking."""
    other = Authority(tmp_path / "other", "other")
    bob = other.issue("bob", usage="clientAuth")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(ca.cert.read_bytes())
    context = context_of(ca, server)
    flags = [*server.flags(), *server.flags("peer-"), "--peer-trusted-ca-file", str(ca.cert), "--trusted-ca-file", str(bundle)]
    with Cluster(tmp_path, 1, [*FAST, *flags], context=context) as cluster:
        url = f"{cluster.stores[0].url}/version"
        words = ["--cacert", str(ca.cert), "--cert", str(bob.cert), "--key", str(bob.key)]
        assert curl(url, *words).returncode == 56
        bundle.write_bytes(ca.cert.read_bytes() + other.cert.read_bytes())
        time.sleep(1.2)
        assert curl(url, *words).returncode == 0


# ---- flags ----


@pytest.mark.parametrize("flags, text", [
    (["--listen-client-urls", "https://127.0.0.1:1"], "https needs --cert-file and --key-file, or --auto-tls"),
    (["--listen-peer-urls", "https://127.0.0.1:1"], "https needs --peer-cert-file and --peer-key-file, or --peer-auto-tls"),
    (["--cert-file", "/x"], "--cert-file is given without --key-file"),
    (["--peer-key-file", "/x"], "--peer-key-file is given without --peer-cert-file"),
    (["--client-cert-auth"], "--client-cert-auth needs --trusted-ca-file"),
    (["--peer-crl-file", "/x"], "--peer-trusted-ca-file is missing"),
    (["--cert-file", "/nowhere/x.pem", "--key-file", "/nowhere/y.pem"], "cannot read /nowhere/x.pem: No such file or directory"),
])
def test_what_is_missing_is_said(tmp_path, flags, text):
    done = subprocess.run([str(BUILD / "src/store/faering-store"), "--data-dir", str(tmp_path / "data"), *flags],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode in (1, 2) and text in done.stderr, done.stderr


def test_an_expired_certificate_is_named(tmp_path, ca):
    pair = ca.issue_expired("expired")
    done = subprocess.run([str(BUILD / "src/store/faering-store"), "--data-dir", str(tmp_path / "data"), *pair.flags()],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and re.search(rf"the certificate {pair.cert}: expired on 20.* UTC; renew it", done.stderr), done.stderr


# ---- fleet ----


def test_fleet_reaches_the_store_and_serves_its_api_by_tls(tmp_path, ca, server, alice):
    api, = free_ports(1)
    extra = ("--etcd_cafile", str(ca.cert), "--etcd_certfile", str(alice.cert), "--etcd_keyfile", str(alice.key),
             "--ca-file", str(ca.cert), *server.flags())
    with tls_cluster(tmp_path, 1, ca, server, alice) as cluster:
        machine = Machine(tmp_path, 1, cluster.stores[0].url, 10, "fake", extra=extra)
        machine.command[machine.command.index("--listen") + 1] = f"https://127.0.0.1:{api}"
        machine.start()
        try:
            wait_log(machine.log, "registered as machine")
            own = ["--ca-file", str(ca.cert), "--cert-file", str(alice.cert), "--key-file", str(alice.key)]
            ask = [str(BUILD / "src/cli/faering"), "fleet", "--endpoint", f"https://127.0.0.1:{api}"]
            done = subprocess.run([*ask, *own, "list-machines", "--no-legend", "--full"], capture_output=True, text=True, timeout=30)
            assert done.returncode == 0 and machine.id in done.stdout, done.stderr
            done = subprocess.run([*ask, *own[:2], "list-machines"], capture_output=True, text=True, timeout=30)
            assert done.returncode != 0 and "wants a client's certificate" in done.stderr
            wait_log(machine.log, "the client showed no certificate")
            # with an authority the logs are open to those who show its certificate, and to nobody else
            logs = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", str(ca.cert)]
            mine = ["--cert", str(alice.cert), "--key", str(alice.key)]
            if "other machines cannot read the logs" not in machine.log.read_text():  # another test may have the port
                for path, status in (("/fleet/v1/state", "200"), ("/fleet/v1/units", "403")):
                    done = subprocess.run([*logs, *mine, f"https://127.0.0.1:49154{path}"], capture_output=True, text=True, timeout=30)
                    assert done.stdout == status, (path, done.stderr)
                assert subprocess.run([*logs, "https://127.0.0.1:49154/fleet/v1/state"], capture_output=True, timeout=30).returncode != 0
            assert machine.stop() == 0
        finally:
            machine.kill()


def test_fleet_refuses_plain_tcp(tmp_path):
    done = subprocess.run([str(BUILD / "src/fleet/faering-fleet"), "--config", "/dev/null", "--state-dir", str(tmp_path / "fleet"),
                           "--machine-id", "m", "--supervisor", "fake", "--listen", "http://127.0.0.1:1"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "over TCP the API is served with TLS only" in done.stderr
