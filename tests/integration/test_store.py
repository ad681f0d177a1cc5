"""Real faering-store processes: one and three members."""
import threading
import time

import pytest
from stores import Cluster

FAST = ["--heartbeat-interval", "20", "--election-timeout", "200"]


def test_one_member_keeps_its_data_over_kills_and_stops(tmp_path):
    with Cluster(tmp_path, 1) as cluster:
        store = cluster.stores[0]
        for round_ in range(4):
            for i in range(20):
                assert store.request("PUT", f"/v2/keys/a/{round_}-{i}", {"value": str(i)})[0] == 201
            before = store.tree()
            if round_ % 2:
                assert store.terminate() == 0
            else:
                store.kill()
            store.start()
            store.wait_ready()
            assert store.tree() == before


def test_three_members_write_and_read_anywhere(tmp_path):
    with Cluster(tmp_path, 3, FAST) as cluster:
        for i, store in enumerate(cluster.stores):
            status, headers, body = store.request("PUT", f"/v2/keys/from/{i}", {"value": store.name})
            assert status == 201 and body["action"] == "set"
            assert int(headers["x-etcd-index"]) == body["node"]["modifiedIndex"]
            # a client reads its own write on the member that took it, without a quorum
            assert store.request("GET", f"/v2/keys/from/{i}")[2]["node"] == body["node"]
        tree = cluster.assert_equal_trees()
        assert [node["value"] for node in tree["nodes"][0]["nodes"]] == ["m0", "m1", "m2"]


def test_a_killed_leader_is_replaced_and_comes_back(tmp_path):
    with Cluster(tmp_path, 3, FAST) as cluster:
        for i in range(3):
            leader = cluster.leader()
            others = [store for store in cluster.stores if store is not leader]
            assert leader.request("PUT", f"/v2/keys/before/{i}", {"value": "x"})[0] == 201
            leader.kill()
            assert cluster.leader() is not leader
            assert others[0].request("PUT", f"/v2/keys/after/{i}", {"value": "y"})[0] == 201
            leader.start()
            leader.wait_ready()
            cluster.assert_equal_trees()


def test_a_member_that_was_away_for_long_gets_a_snapshot(tmp_path):
    with Cluster(tmp_path, 3, [*FAST, "--snapshot-count", "50"]) as cluster:
        away = next(store for store in cluster.stores if not store.is_leader())
        there = [store for store in cluster.stores if store is not away]
        away.kill()
        # the log keeps a tail of 5,000 entries for members that lag: it takes more than that
        threads = [threading.Thread(target=lambda base: [there[base % 2].request("PUT", f"/v2/keys/s/{base}-{i % 20}",
                                                                                 {"value": "v" * 500}) for i in range(700)],
                                    args=(base,)) for base in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        away.start()
        away.wait_ready()
        cluster.assert_equal_trees()
        assert "snapshot" in " ".join(path.name for path in away.data.iterdir())


def test_a_stop_under_load_is_clean(tmp_path):
    with Cluster(tmp_path, 3, FAST) as cluster:
        stopping = threading.Event()

        def write(worker: int) -> None:
            i = 0
            while not stopping.is_set():
                try:
                    cluster.stores[worker % 3].request("PUT", f"/v2/keys/t/{worker}-{i}", {"value": "x"}, timeout=3)
                except OSError:
                    time.sleep(0.02)
                i += 1

        threads = [threading.Thread(target=write, args=(worker,)) for worker in range(12)]
        for thread in threads:
            thread.start()
        try:
            for i in range(6):
                store = cluster.stores[i % 3]
                time.sleep(0.3)
                assert store.terminate() == 0, store.log.read_text()[-3000:]
                store.start()
                store.wait_ready()
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        cluster.assert_equal_trees()


def test_without_a_majority_nothing_is_acknowledged(tmp_path):
    with Cluster(tmp_path, 3, FAST) as cluster:
        for store in cluster.stores[1:]:
            store.kill()
        with pytest.raises(OSError):
            cluster.stores[0].request("PUT", "/v2/keys/lost", {"value": "x"}, timeout=1)
        for store in cluster.stores[1:]:
            store.start()
        cluster.wait_ready()
        cluster.assert_equal_trees()
