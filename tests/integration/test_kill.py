"""Members are killed under load, again and again: what was acknowledged stays, and all members agree in the end."""
import asyncio
import random
import time

import pytest
from stores import Cluster, Store

WORKERS = 128
IN_FLIGHT_MIN = 64
OPTIONS = ["--heartbeat-interval", "20", "--election-timeout", "200", "--snapshot-count", "1000"]


class Load:
    """Writers with one request each on its way, every one under a key of its own."""

    def __init__(self, stores: list[Store]):
        self.stores = stores
        self.acknowledged: dict[str, tuple[str, int]] = {}
        self.in_flight = 0
        self.stopping = False

    async def one(self, reader, writer, key: str, value: str) -> None:
        body = f"value={value}"
        writer.write(f"PUT /v2/keys{key} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        self.in_flight += 1
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 12)
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            await reader.readexactly(int(headers[b"content-length"]))
        finally:
            self.in_flight -= 1
        status = int(head.split(b" ", 2)[1])
        if status == 201:
            self.acknowledged[key] = (value, int(headers[b"x-etcd-index"]))

    async def worker(self, number: int) -> None:
        sequence = 0
        turn = number
        while not self.stopping:
            turn += 1
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.stores[turn % len(self.stores)].client)
                while not self.stopping:
                    sequence += 1
                    await self.one(reader, writer, f"/w{number}/{sequence}", f"{number}.{sequence}")
            except (OSError, EOFError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.01)
            finally:
                if writer:
                    writer.close()


async def wait_for(what, seconds: float, text: str) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, text
        await asyncio.sleep(0.002)


async def kill_under_load(cluster: Cluster, kills: int, wanted: int, seed: int) -> Load:
    chance = random.Random(seed)
    load = Load(cluster.stores)
    workers = [asyncio.create_task(load.worker(i)) for i in range(WORKERS)]
    fewest = WORKERS
    try:
        for kill in range(kills):
            # a majority that is up must make progress between two kills
            target = max(len(load.acknowledged) + 20, wanted * (kill + 1) // kills)
            await wait_for(lambda: len(load.acknowledged) >= target and load.in_flight >= IN_FLIGHT_MIN, 30,
                           f"seed {seed}: no progress after kill {kill}: {len(load.acknowledged)} acknowledged, "
                           f"{load.in_flight} in flight")
            await asyncio.sleep(chance.random() * 0.02)
            await wait_for(lambda: load.in_flight >= IN_FLIGHT_MIN, 30, "too few writes in flight")
            victims = cluster.stores if chance.random() < 0.3 else [chance.choice(cluster.stores)]
            fewest = min(fewest, load.in_flight)
            for store in victims:
                store.process.kill()
            for store in victims:
                store.kill()
            await asyncio.sleep(chance.random() * 0.3)
            for store in victims:
                store.start()
    finally:
        load.stopping = True
        await asyncio.wait(workers, timeout=15)
        for worker in workers:
            worker.cancel()
    print(f"seed {seed}: {kills} kills, at least {fewest} writes in flight, {len(load.acknowledged)} acknowledged")
    return load


def check(cluster: Cluster, load: Load, wanted: int) -> None:
    cluster.wait_ready()
    tree = cluster.assert_equal_trees()
    found = {node["key"]: node for folder in tree["nodes"] for node in folder.get("nodes", [])}
    lost = [key for key in load.acknowledged if key not in found]
    assert not lost, f"{len(lost)} acknowledged writes are lost, such as {lost[:5]}"
    for key, (value, index) in load.acknowledged.items():
        assert found[key]["value"] == value
        assert found[key]["createdIndex"] == found[key]["modifiedIndex"] <= index
    indexes = [node["createdIndex"] for node in found.values()]
    assert len(set(indexes)) == len(indexes), "two writes have the same index"
    assert len(load.acknowledged) >= wanted


@pytest.mark.parametrize("forget,kills,wanted,seed", [(False, 50, 10000, 1), (True, 15, 3000, 2)],
                         ids=["process", "forgetful-disk"])
def test_no_acknowledged_write_is_lost_when_members_are_killed(tmp_path, forget, kills, wanted, seed):
    with Cluster(tmp_path, 3, OPTIONS, forget) as cluster:
        load = asyncio.run(kill_under_load(cluster, kills, wanted, seed))
        check(cluster, load, wanted)


def test_a_disk_that_was_never_synced_would_be_noticed(tmp_path):
    """The forgetful disk does forget: what a member wrote but did not sync is gone after a kill."""
    with Cluster(tmp_path, 1, OPTIONS, forget=True) as cluster:
        store = cluster.stores[0]
        assert store.request("PUT", "/v2/keys/a", {"value": "1"})[0] == 201
        with (store.data / "stray").open("w") as stray:
            stray.write("nobody synced this name")
        store.kill()
        assert not (store.data / "stray").exists()
        store.start()
        store.wait_ready()
        assert store.request("GET", "/v2/keys/a")[2]["node"]["value"] == "1"
