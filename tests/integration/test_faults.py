"""Members stop, lose each other, their disks fail and fill up: what clients were told stays true, and the cluster goes on."""
import asyncio
import os
import shutil
import signal
import subprocess
import time

import pytest
from histories import UNANSWERED, History, request
from stores import BUILD, Cluster, Store

FAST = ["--heartbeat-interval", "20", "--election-timeout", "200"]


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)


async def leader_of(stores: list[Store]) -> Store:
    while True:
        for store in stores:
            try:
                if (await request(store, "GET", "/v2/stats/self", timeout=1))[1]["state"] == "StateLeader":
                    return store
            except UNANSWERED:
                pass
        await asyncio.sleep(0.05)


def check_history(stores: list[Store], faults) -> History:
    async def whole() -> History:
        history = History(stores)
        await asyncio.wait_for(history.run(faults(history)), 90)
        return history
    history = asyncio.run(whole())
    history.check()
    return history


# ---- processes that stand still ----

def test_a_history_holds_while_members_are_stopped_and_go_on(tmp_path):
    with Cluster(tmp_path, 3, FAST) as cluster:
        async def faults(history: History) -> None:
            for what in ["leader", "follower", "followers", "all", "leader"]:
                await history.wait_progress(30)
                leader = await leader_of(cluster.stores)
                others = [store for store in cluster.stores if store is not leader]
                victims = {"leader": [leader], "follower": others[:1], "followers": others, "all": cluster.stores}[what]
                for store in victims:
                    store.process.send_signal(signal.SIGSTOP)
                try:
                    if what in ("leader", "follower"):
                        await history.wait_progress(30)  # a majority goes on meanwhile
                    else:
                        await asyncio.sleep(1)
                finally:
                    for store in victims:
                        store.process.send_signal(signal.SIGCONT)
        check_history(cluster.stores, faults)
        cluster.assert_equal_trees()


# ---- networks that part ----

class Network:
    """A network namespace for each member, joined by a bridge in one of their own. Removed at the end."""

    def __init__(self, count: int):
        self.names = [f"fh{os.getpid()}-{i}" for i in range(count)]
        self.switch = f"fh{os.getpid()}-sw"

    def __enter__(self) -> "Network":
        try:
            run("ip", "netns", "add", self.switch)
            run("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
            run("ip", "-n", self.switch, "link", "set", "br0", "up")
            for i, name in enumerate(self.names):
                run("ip", "netns", "add", name)
                run("ip", "-n", self.switch, "link", "add", f"p{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
                run("ip", "-n", self.switch, "link", "set", f"p{i}", "master", "br0", "up")
                run("ip", "-n", name, "addr", "add", f"10.99.0.{i + 1}/24", "dev", "eth0")
                run("ip", "-n", name, "link", "set", "eth0", "up")
                run("ip", "-n", name, "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in [*self.names, self.switch]:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def nft(self, member: int, rules: str) -> None:
        subprocess.run(["ip", "netns", "exec", self.names[member], "nft", "-f", "-"], input=rules, check=True, text=True,
                       capture_output=True)

    def deaf(self, member: int, to: list[int]) -> None:
        """What these members send does not reach it; what it sends reaches them."""
        drops = "\n".join(f"ip saddr 10.99.0.{other + 1} drop" for other in to)
        self.nft(member, f"table inet cut {{\nchain arriving {{\ntype filter hook input priority 0;\n{drops}\n}}\n}}\n")

    def heal(self) -> None:
        for i in range(len(self.names)):
            self.nft(i, "table inet cut\ndelete table inet cut")

    def cut(self, side: list[int], other: list[int]) -> None:
        for one in side:
            self.deaf(one, other)
        for one in other:
            self.deaf(one, side)

    def slow(self, member: int, words: list[str]) -> bool:
        """False: the kernel has no netem."""
        return subprocess.run(["ip", "netns", "exec", self.names[member], "tc", "qdisc", "replace", "dev", "eth0", "root", *words],
                              capture_output=True).returncode == 0

    def quick(self, member: int) -> None:
        run("ip", "netns", "exec", self.names[member], "tc", "qdisc", "del", "dev", "eth0", "root")


class FarStore(Store):
    """A member in a namespace; its clients come over a unix socket, which no partition touches."""

    def __init__(self, folder, number: int, network: Network):
        cluster = ",".join(f"m{i}=http://10.99.0.{i + 1}:2380" for i in range(len(network.names)))
        super().__init__(folder, f"m{number}", 2379, 2380, cluster, FAST, False)
        self.socket = folder / f"{self.name}.sock"
        peer = f"http://10.99.0.{number + 1}:2380"
        changed = {"--listen-client-urls": f"unix://{self.socket}", "--listen-peer-urls": peer, "--initial-advertise-peer-urls": peer,
                   "--advertise-client-urls": f"http://10.99.0.{number + 1}:2379"}
        for option, value in changed.items():
            self.command[self.command.index(option) + 1] = value
        self.command = ["ip", "netns", "exec", network.names[number], *self.command]

    async def connect(self):
        return await asyncio.open_unix_connection(str(self.socket))


class FarCluster:
    def __init__(self, folder, count: int):
        self.network = Network(count)
        self.stores = [FarStore(folder, i, self.network) for i in range(count)]

    def __enter__(self) -> "FarCluster":
        self.network.__enter__()
        for store in self.stores:
            store.start()
        return self

    def __exit__(self, *_: object) -> None:
        for store in self.stores:
            if store.process and store.process.poll() is None:
                store.process.kill()
                store.process.wait()
        self.network.__exit__()

    async def wait_ready(self) -> None:
        for store in self.stores:
            for _ in range(400):
                assert store.process.poll() is None, store.log.read_text()[-2000:]
                try:
                    if (await request(store, "GET", "/v2/keys/?quorum=true", timeout=1))[0] == 200:
                        break
                except UNANSWERED:
                    pass
                await asyncio.sleep(0.05)
            else:
                raise AssertionError(f"{store.name} is not ready:\n{store.log.read_text()[-2000:]}")


def test_a_history_holds_over_partitions(tmp_path):
    with FarCluster(tmp_path, 3) as cluster:
        network = cluster.network
        asyncio.run(cluster.wait_ready())

        async def faults(history: History) -> None:
            for what in ["leader", "follower", "leader hears nothing", "leader is not heard", "everyone", "leader"]:
                await history.wait_progress(15)
                number = cluster.stores.index(await leader_of(cluster.stores))
                others = [i for i in range(3) if i != number]
                if what == "leader":
                    network.cut([number], others)
                elif what == "follower":
                    network.cut(others[:1], [number, others[1]])
                elif what == "leader hears nothing":
                    network.deaf(number, others)
                elif what == "leader is not heard":
                    for one in others:
                        network.deaf(one, [number])
                else:
                    for one in range(3):
                        network.deaf(one, [i for i in range(3) if i != one])
                if what == "everyone":
                    await asyncio.sleep(1)
                else:
                    await history.wait_progress(15)
                network.heal()
        check_history(cluster.stores, faults)
        asyncio.run(cluster.wait_ready())


def test_a_history_holds_over_a_slow_link(tmp_path):
    with FarCluster(tmp_path, 3) as cluster:
        if not cluster.network.slow(0, ["netem", "delay", "40ms", "20ms", "loss", "5%"]):
            pytest.skip("this kernel has no netem: links cannot be slowed")
        asyncio.run(cluster.wait_ready())

        async def faults(history: History) -> None:
            await history.wait_progress(200, 30)
            cluster.network.quick(0)
        check_history(cluster.stores, faults)


# ---- disks that fail ----

@pytest.mark.parametrize("what", ["write", "sync"])
@pytest.mark.parametrize("role", ["leader", "follower"])
def test_a_disk_that_fails_once_ends_its_member_and_harms_nobody(tmp_path, what, role):
    with Cluster(tmp_path, 3, FAST) as cluster:
        for store in cluster.stores:
            store.kill()
            store.environment = {"FAIL_DISK": str(store.data), "LD_PRELOAD": str(BUILD / "tests/integration/libfail-disk.so")}
            store.start()
        cluster.wait_ready()

        async def faults(history: History) -> None:
            await history.wait_progress(30)
            leader = await leader_of(cluster.stores)
            victim = leader if role == "leader" else next(store for store in cluster.stores if store is not leader)
            order = victim.data.with_name(victim.name + ".fail")
            order.write_text(what)
            for _ in range(200):
                if victim.process.poll() is not None:
                    break
                await asyncio.sleep(0.05)
            assert victim.process.poll() == 1, "it goes on although its disk failed"
            last = victim.log.read_text().splitlines()[-3:]
            assert any("Input/output error" in line for line in last), last
            await history.wait_progress(30)
            order.unlink()
            victim.start()
        check_history(cluster.stores, faults)
        cluster.wait_ready()
        cluster.assert_equal_trees()


@pytest.mark.parametrize("role", ["leader", "follower"])
def test_a_full_disk_ends_its_member_which_comes_back_when_there_is_room(tmp_path, role):
    with Cluster(tmp_path, 3, [*FAST, "--snapshot-count", "200"]) as cluster:
        leader = cluster.leader()
        victim = leader if role == "leader" else next(store for store in cluster.stores if store is not leader)
        victim.terminate()
        held = tmp_path / "held"
        shutil.move(victim.data, held)
        victim.data.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(victim.data))
        try:
            shutil.copytree(held, victim.data, dirs_exist_ok=True)
            victim.start()
            cluster.wait_ready()
            others = [store for store in cluster.stores if store is not victim]
            while role == "leader" and cluster.leader() is not victim:  # who is there alone asks first for votes
                for store in others:
                    store.terminate()
                for store in others:
                    store.start()
                cluster.wait_ready()
            free = shutil.disk_usage(victim.data).free
            stuffing = victim.data / "stuffing"

            async def faults(history: History) -> None:
                await history.wait_progress(30)
                with stuffing.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, free // 4096 * 4096 - (1 << 20))
                await history.wait_progress(30)
                end = time.monotonic() + 20
                while victim.process.poll() is None and time.monotonic() < end:
                    try:
                        await request(cluster.stores[0], "PUT", "/v2/keys/big", {"value": "v" * 500000})
                    except UNANSWERED:
                        pass
                assert victim.process.poll() == 1, "it goes on although its disk is full"
                assert "No space left" in "".join(victim.log.read_text().splitlines()[-3:])
                await history.wait_progress(30)
                stuffing.unlink()
                victim.start()
            check_history(cluster.stores, faults)
            cluster.wait_ready()
            cluster.assert_equal_trees()
        finally:
            if victim.process.poll() is None:
                victim.process.kill()
                victim.process.wait()
            run("umount", str(victim.data))
