"""Members come, go and are replaced under load: what was acknowledged stays, and who was removed ends and cannot return."""
import asyncio
import re
import shutil
import subprocess
import threading
import time

from stores import BUILD, Cluster, Store, free_ports
from test_kill import OPTIONS, Load, check, wait_for

WORKERS = 32
REMOVED = "was removed from its cluster"


async def under_load(cluster: Cluster, steps) -> Load:
    """Carries out the steps (blocking functions) one by one; writes must go on between any two."""
    load = Load(cluster.stores)
    workers = [asyncio.create_task(load.worker(i)) for i in range(WORKERS)]
    try:
        for step in steps:
            before = len(load.acknowledged)
            await wait_for(lambda: len(load.acknowledged) > before + 50, 20, f"no progress before {step.__name__}")
            await asyncio.to_thread(step)
    finally:
        load.stopping = True
        await asyncio.wait(workers, timeout=15)
        for worker in workers:
            worker.cancel()
    return load


def assert_ends(store: Store) -> None:
    assert store.wait_end() == 0
    assert REMOVED in store.log.read_text()


def test_cluster_grows_and_shrinks_under_load_and_loses_nothing(tmp_path):
    with Cluster(tmp_path, 1, OPTIONS) as cluster:
        def grow() -> None:
            cluster.add(cluster.leader())

        def replace_dead() -> None:
            dead = next(store for store in cluster.stores if not store.is_leader())
            id = dead.id()
            dead.kill()
            shutil.rmtree(dead.data)
            cluster.remove(dead, cluster.leader(), id)
            cluster.add(cluster.leader())

        def remove_follower() -> None:
            store = next(store for store in cluster.stores if not store.is_leader())
            cluster.remove(store, cluster.leader())
            assert_ends(store)

        def remove_leader() -> None:
            store = cluster.leader()
            cluster.remove(store, store)  # asked of itself
            assert_ends(store)

        load = asyncio.run(under_load(cluster, [grow, grow, replace_dead, grow, grow, remove_follower, remove_leader, grow,
                                                remove_leader]))
        assert len(cluster.stores) == 3
        check(cluster, load, 500)
        assert sorted(one["name"] for one in cluster.stores[0].members()[1]["members"]) == sorted(s.name for s in cluster.stores)
        print(f"{len(load.acknowledged)} acknowledged")


def test_removed_member_cannot_return(tmp_path):
    with Cluster(tmp_path, 3, OPTIONS) as cluster:
        leader = cluster.leader()
        gone = next(store for store in cluster.stores if store is not leader)
        id = gone.id()
        cluster.remove(gone, leader)
        assert_ends(gone)
        assert leader.members("DELETE", f"/{id}") == (410, {"message": f"Member permanently removed: {id}"})
        # neither with its data …
        gone.start()
        assert_ends(gone)
        assert gone.log.read_text().count(REMOVED) == 2
        # … nor without, under the id that follows from its URLs
        shutil.rmtree(gone.data)
        gone.start()
        assert gone.wait_end() == 1
        assert "an id can never return" in gone.log.read_text()
        assert all(one["id"] != id for one in leader.members()[1]["members"])


def test_shrinking_to_one_member_and_growing_again(tmp_path):
    with Cluster(tmp_path, 2, OPTIONS) as cluster:
        leader = cluster.leader()
        cluster.remove(leader, leader)
        assert_ends(leader)
        alone = cluster.stores[0]
        assert alone.request("PUT", "/v2/keys/a", {"value": "1"})[0] == 201
        alone.kill()
        alone.start()
        alone.wait_ready()
        assert alone.members("DELETE", f"/{alone.id()}")[0] == 500
        cluster.add(alone)
        assert cluster.assert_equal_trees()["nodes"][0]["value"] == "1"


def test_member_that_is_not_there_yet_costs_nothing(tmp_path):
    """etcd would stand still: one of two voters is not there."""
    with Cluster(tmp_path, 1, OPTIONS) as cluster:
        store = cluster.stores[0]
        status, body = store.members("POST", urls=["http://127.0.0.1:1"])
        assert status == 201 and body["name"] == "" and body["clientURLs"] == []
        for i in range(20):
            assert store.request("PUT", f"/v2/keys/{i}", {"value": "x"}, timeout=2)[0] == 201
        assert store.members("POST", urls=["http://127.0.0.1:1"])[0] == 409
        assert store.members("DELETE", f"/{body['id']}")[0] == 204


def test_removal_that_would_stop_the_cluster_is_refused(tmp_path):
    with Cluster(tmp_path, 3, OPTIONS) as cluster:
        leader = cluster.leader()
        others = [store for store in cluster.stores if store is not leader]
        ids = [store.id() for store in others]
        others[0].kill()
        end = time.monotonic() + 10
        while (answer := leader.members("DELETE", f"/{ids[1]}"))[0] != 500:
            assert answer[0] != 204 and time.monotonic() < end
        assert "unhealthy cluster" in answer[1]["message"]
        assert leader.members("DELETE", f"/{ids[0]}")[0] == 204
        assert leader.request("PUT", "/v2/keys/a", {"value": "1"})[0] == 201


def test_member_comes_back_at_another_peer_address(tmp_path):
    with Cluster(tmp_path, 3, OPTIONS) as cluster:
        leader = cluster.leader()
        moved = next(store for store in cluster.stores if store is not leader)
        id, (peer,) = moved.id(), free_ports(1)
        assert moved.terminate() == 0
        old, new = f"http://127.0.0.1:{moved.peer}", f"http://127.0.0.1:{peer}"
        moved.command = [new if word == old else word for word in moved.command]
        moved.peer = peer
        assert leader.members("PUT", f"/{id}", [leader.members()[1]["members"][0]["peerURLs"][0], new])[0] in (204, 409)
        assert leader.members("PUT", f"/{id}", [new])[0] == 204
        moved.start()
        moved.wait_ready()
        assert moved.id() == id
        cluster.assert_equal_trees()
        assert [one["peerURLs"] for one in moved.members()[1]["members"] if one["id"] == id] == [[new]]


def test_survivor_goes_on_alone(tmp_path):
    with Cluster(tmp_path, 3, OPTIONS) as cluster:
        for i in range(50):
            assert cluster.stores[i % 3].request("PUT", f"/v2/keys/{i}", {"value": "x"})[0] == 201
        tree = cluster.assert_equal_trees()
        for store in cluster.stores:
            store.kill()
        survivor = cluster.stores[1]
        cluster.left += [cluster.stores[0], cluster.stores[2]]
        cluster.stores = [survivor]
        survivor.command.append("--force-new-cluster")
        survivor.start()
        survivor.wait_ready()
        assert survivor.tree() == tree
        assert [one["name"] for one in survivor.members()[1]["members"]] == ["m1"]
        assert survivor.terminate() == 0
        survivor.command.pop()
        survivor.start()
        survivor.wait_ready()
        cluster.add(survivor)
        assert survivor.request("PUT", "/v2/keys/new", {"value": "x"})[0] == 201
        cluster.assert_equal_trees()


def test_joining_says_what_is_wrong(tmp_path):
    with Cluster(tmp_path, 1, OPTIONS) as cluster:
        client, peer = free_ports(2)
        founder = cluster.stores[0]
        names = f"m0=http://127.0.0.1:{founder.peer},m9=http://127.0.0.1:{peer}"
        late = Store(tmp_path, "m9", client, peer, names, [*OPTIONS, "--initial-cluster-state", "existing"], False)
        cluster.left.append(late)
        late.start()
        assert late.wait_end() == 1
        assert f"member add m9 http://127.0.0.1:{peer}" in late.log.read_text()
        assert founder.terminate() == 0
        late.start()
        assert late.wait_end() == 1
        assert "none of the other members answers" in late.log.read_text()


def test_founder_that_lost_its_data_is_refused(tmp_path):
    with Cluster(tmp_path, 3, OPTIONS) as cluster:
        store = cluster.stores[2]
        store.kill()
        shutil.rmtree(store.data)
        store.start()
        assert store.wait_end() == 1
        assert "lost its data" in store.log.read_text()


def test_stop_hands_leadership_over_without_a_pause(tmp_path):
    """With an election time-out of a second, writes at the others go on within a fraction of it."""
    with Cluster(tmp_path, 3) as cluster:
        leader = cluster.leader()
        others = [store for store in cluster.stores if store is not leader]
        stopping = threading.Event()
        slowest, failures, count = [0.0], [], [0]

        def write(number: int) -> None:
            i = 0
            while not stopping.is_set():
                begun = time.monotonic()
                status, _, body = others[number % 2].request("PUT", f"/v2/keys/h/{number}-{i}", {"value": "x"})
                slowest[0] = max(slowest[0], time.monotonic() - begun)
                count[0] += 1
                if status != 201:
                    failures.append(body)
                i += 1

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(0.5)
            assert leader.terminate() == 0
            time.sleep(0.5)
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        assert "handing leadership over" in leader.log.read_text()
        assert not failures
        assert count[0] > 200
        assert slowest[0] < 0.4, f"a write took {slowest[0]:.3f} s"
        print(f"{count[0]} writes, the slowest took {slowest[0] * 1000:.0f} ms")


def test_command_line_speaks_as_etcdctl(tmp_path):
    (tmp_path / "etcdctl").symlink_to(BUILD / "src/cli/faering")
    with Cluster(tmp_path, 1, OPTIONS) as cluster:
        store = cluster.stores[0]
        own, url = store.id(), f"http://127.0.0.1:{store.peer}"

        def run(*words: str, faering: bool = False) -> tuple[int, str, str]:
            program = [str(BUILD / "src/cli/faering"), "store"] if faering else [str(tmp_path / "etcdctl")]
            done = subprocess.run([*program, "--endpoints", store.url, "member", *words], capture_output=True, text=True, timeout=20)
            return done.returncode, done.stdout, done.stderr

        line = f"{own}: name=m0 peerURLs={url} clientURLs={store.url} isLeader=true\n"
        assert run("list") == (0, line, "")
        code, out, _ = run("list", faering=True)
        assert code == 0 and out.splitlines()[1].split() == [own, "m0", "leader", url, store.url]
        code, out, _ = run("add", "new", "http://127.0.0.1:1")
        added = re.match(r"Added member named new with ID ([0-9a-f]+) to cluster\n\n", out)
        assert code == 0 and added, out
        names = re.search(r'ETCD_INITIAL_CLUSTER="([^"]*)"', out)[1]
        assert sorted(names.split(",")) == [f"m0={url}", "new=http://127.0.0.1:1"]
        assert out[added.end():] == f'ETCD_NAME="new"\nETCD_INITIAL_CLUSTER="{names}"\nETCD_INITIAL_CLUSTER_STATE="existing"\n'
        assert f"{added[1]}[unstarted]: peerURLs=http://127.0.0.1:1\n" in run("list")[1]
        assert run("add", "again", "http://127.0.0.1:1") == (1, "", "membership: peerURL exists\n")
        assert run("add", "one") == (1, "", "Provide a name and a single member peerURL\n")
        assert run("update", added[1], "http://127.0.0.1:2,http://127.0.0.1:3") == (
            0, f"Updated member with ID {added[1]} in cluster\n", "")
        assert f"{added[1]}[unstarted]: peerURLs=http://127.0.0.1:2,http://127.0.0.1:3\n" in run("list")[1]
        assert run("remove", added[1]) == (0, f"Removed member {added[1]} from cluster\n", "")
        assert run("remove", added[1]) == (1, "", f"Couldn't find a member in the cluster with an ID of {added[1]}.\n")
        code, out, text = run("remove", "m0")
        assert code == 1 and "Found a member named m0" in text and own in text
        code, out, text = run("remove", own)  # etcdctl takes any 500 for that
        assert code == 1 and text == (f"Received an error trying to remove member {own}: client: etcd cluster is unavailable or "
                                      f"misconfigured; error #0: client: etcd member {store.url} has no leader\n")
        code, out, text = run("remove", own, faering=True)
        assert code == 1 and "no member could do it" in text and "last voting member" in text
        code, out, text = run("update", added[1], "http://127.0.0.1:9")
        assert code == 1 and text == f"Member permanently removed: {added[1]}\n"
