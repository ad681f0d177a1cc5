"""Users, roles and passwords over three members."""
import base64
import json
import re
import time
import urllib.error
import urllib.request

import pytest
from stores import Cluster, Store

ROOT = ("root", "rpw")


def ask(store: Store, method: str, path: str, who: tuple[str, str] | None = None, body: dict | str | None = None,
        headers: dict | None = None, timeout: float = 15) -> tuple[int, str]:
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if body else None
    request = urllib.request.Request(store.url + path, data=data, method=method, headers=headers or {})
    if who:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(who).encode()).decode())
    try:
        answer = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.read().decode()


def wait_status(store: Store, wanted: int, method: str, path: str, who: tuple[str, str] | None) -> None:
    """A follower applies a moment later than the member that answered the change."""
    end = time.monotonic() + 5
    while True:
        status, text = ask(store, method, path, who)
        if status == wanted:
            return
        assert time.monotonic() < end, f"{store.name}: {status} {text} instead of {wanted}"
        time.sleep(0.02)


def enable(cluster: Cluster) -> None:
    first = cluster.stores[0]
    assert ask(first, "PUT", "/v2/auth/users/root", body={"user": "root", "password": "rpw"})[0] == 201
    assert ask(first, "PUT", "/v2/auth/roles/app",
               body={"role": "app", "permissions": {"kv": {"read": ["/app/*"], "write": ["/app/*"]}}})[0] == 201
    assert ask(first, "PUT", "/v2/auth/roles/guest", body={"role": "guest"})[0] == 201
    assert ask(first, "PUT", "/v2/auth/users/eve", body={"user": "eve", "password": "one", "roles": ["app"]})[0] == 200
    assert ask(first, "PUT", "/v2/auth/enable")[0] == 200


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path, 3) as three:
        enable(three)
        for store in three.stores:
            wait_status(store, 401, "GET", "/v2/keys/app/x", None)
        yield three


def test_a_user_made_on_one_member_is_known_on_all(cluster):
    for number, store in enumerate(cluster.stores):
        wait_status(store, 404, "GET", "/v2/keys/app/none", ("eve", "one"))
        assert ask(store, "PUT", f"/v2/keys/app/{number}?value=x", ("eve", "one"))[0] == 201
        assert ask(store, "PUT", f"/v2/keys/other?value=x", ("eve", "one"))[0] == 401
        assert ask(store, "GET", "/v2/keys/app/0", ("eve", "two"))[0] == 401
        assert ask(store, "GET", "/v2/auth/users", ("eve", "one"))[0] == 401
    assert ask(cluster.stores[1], "PUT", "/v2/auth/users/bob", ROOT, {"user": "bob", "password": "b", "roles": ["app"]})[0] == 200
    for store in cluster.stores:
        wait_status(store, 200, "GET", "/v2/keys/app/0", ("bob", "b"))


def test_a_new_password_ends_the_old_one_everywhere(cluster):
    for store in cluster.stores:  # all have seen the password, and remember it
        wait_status(store, 404, "GET", "/v2/keys/app/x", ("eve", "one"))
    assert ask(cluster.stores[2], "PUT", "/v2/auth/users/eve", ROOT, {"user": "eve", "password": "two"})[0] == 200
    assert ask(cluster.stores[2], "GET", "/v2/keys/app/x", ("eve", "one"))[0] == 401
    for store in cluster.stores:
        wait_status(store, 401, "GET", "/v2/keys/app/x", ("eve", "one"))
        wait_status(store, 404, "GET", "/v2/keys/app/x", ("eve", "two"))
    assert ask(cluster.stores[0], "DELETE", "/v2/auth/users/eve", ROOT)[0] == 200
    for store in cluster.stores:
        wait_status(store, 401, "GET", "/v2/keys/app/x", ("eve", "two"))


def test_auth_stays_after_a_power_failure(cluster):
    for store in cluster.stores:
        store.kill()
    for store in cluster.stores:
        store.start()
    for store in cluster.stores:
        wait_up(store)
        assert ask(store, "GET", "/v2/keys/app/x")[0] == 401
        assert ask(store, "GET", "/v2/keys/app/x", ("eve", "one"))[0] == 404
        assert ask(store, "GET", "/v2/auth/enable")[1] == '{"enabled":true}\n'


def test_a_grant_counts_at_once_and_a_revoke_too(cluster):
    one, two = cluster.stores[0], cluster.stores[1]
    who = ("eve", "one")
    assert ask(one, "PUT", "/v2/keys/b/x?value=1", ROOT)[0] == 201
    assert ask(one, "GET", "/v2/keys/b/x", who)[0] == 401
    assert ask(one, "PUT", "/v2/auth/roles/app", ROOT, {"role": "app", "grant": {"kv": {"read": ["/b/*"], "write": []}}})[0] == 200
    assert ask(one, "GET", "/v2/keys/b/x", who)[0] == 200
    wait_status(two, 200, "GET", "/v2/keys/b/x", who)
    assert ask(one, "PUT", "/v2/auth/users/eve", ROOT, {"user": "eve", "revoke": ["app"]})[0] == 200
    assert ask(one, "GET", "/v2/keys/b/x", who)[0] == 401
    wait_status(two, 401, "GET", "/v2/keys/b/x", who)


def test_known_passwords_cost_no_hashing(cluster):
    store, who = cluster.stores[0], ("eve", "one")
    assert ask(store, "GET", "/v2/keys/app/x", who)[0] == 404
    before = cpu_seconds(store)
    for _ in range(200):
        assert ask(store, "GET", "/v2/keys/app/x", who)[0] == 404
    # a hash takes tens of milliseconds of a processor: 200 of them would take many seconds
    assert cpu_seconds(store) - before < 1


def test_no_secret_is_logged_or_shown(cluster):
    for store in cluster.stores:
        ask(store, "GET", "/v2/keys/app/x", ("eve", "wrong-secret"))
        text = store.log.read_text() + ask(store, "GET", "/v2/auth/users/eve", ROOT)[1] + ask(store, "GET", "/metrics")[1]
        text += ask(store, "GET", "/v2/keys/?recursive=true", ROOT)[1]
        assert "wrong-secret" not in text and "rpw" not in text and "$2b$" not in text


def test_metrics_count_what_happens(cluster):
    leader = cluster.leader()
    before = metric(leader, 'etcd_http_successful_duration_seconds_count{method="PUT"}')
    for number in range(20):
        assert ask(leader, "PUT", f"/v2/keys/app/{number}?value=x", ("eve", "one"))[0] == 201
    assert metric(leader, 'etcd_http_successful_duration_seconds_count{method="PUT"}') == before + 20
    assert metric(leader, "etcd_server_has_leader") == 1
    assert metric(leader, "etcd_server_is_leader") == 1
    assert metric(leader, "etcd_disk_wal_fsync_duration_seconds_count") > 0
    assert metric(leader, "etcd_server_proposals_applied_total") >= 20
    others = [store for store in cluster.stores if store is not leader]
    for store in others:
        assert metric(leader, f'etcd_network_active_peers{{Local="{leader.id()}",Remote="{store.id()}"}}') == 1
        assert metric(leader, f'etcd_network_peer_sent_bytes_total{{To="{store.id()}"}}') > 0
        assert metric(leader, f'etcd_network_peer_round_trip_time_seconds_count{{To="{store.id()}"}}') > 0
    followers = json.loads(ask(leader, "GET", "/v2/stats/leader")[1])["followers"]
    assert len(followers) == 2
    for follower in followers.values():  # an answer takes time, here far below a second
        assert 0 < follower["latency"]["minimum"] <= follower["latency"]["average"] < 1000
    own = json.loads(ask(leader, "GET", "/v2/stats/self")[1])
    assert own["sendPkgRate"] > 0 and own["sendBandwidthRate"] > 0


def metric(store: Store, name: str) -> float:
    text = ask(store, "GET", "/metrics")[1]
    found = re.search(r"^" + re.escape(name) + r" (\S+)$", text, re.M)
    assert found, f"no {name} in {text}"
    return float(found[1])


def cpu_seconds(store: Store) -> float:
    return metric(store, "process_cpu_seconds_total")


def wait_up(store: Store) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert store.process.poll() is None, store.log.read_text()[-2000:]
        try:
            if ask(store, "GET", "/v2/keys/?quorum=true", ROOT, timeout=3)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{store.name} is not up")


def test_origins_and_hosts_are_let_in_as_told(tmp_path):
    with Cluster(tmp_path, 1, ["--cors", "http://a.example", "--host-whitelist", "127.0.0.1"]) as alone:
        store = alone.stores[0]
        for origin, allowed in (("http://a.example", True), ("http://b.example", False)):
            request = urllib.request.Request(store.url + "/version", headers={"Origin": origin})
            with urllib.request.urlopen(request, timeout=5) as answer:
                assert (answer.headers["Access-Control-Allow-Origin"] == origin) == allowed
        assert ask(store, "GET", "/version", headers={"Host": "evil.example:2379"})[0] == 421
