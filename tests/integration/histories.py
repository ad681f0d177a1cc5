"""Clients that keep a history of a cluster under faults, and what must hold of it."""
import asyncio
import json
import urllib.parse

REQUEST_SECONDS = 1.5
PAUSE_SECONDS = 0.01


async def request(store, method: str, path: str, form: dict | None = None, timeout: float = REQUEST_SECONDS) -> tuple[int, dict]:
    """Status and JSON body over a connection of its own; OSError and the like when there is no answer."""
    async def run() -> tuple[int, dict]:
        reader, writer = await store.connect()
        try:
            body = urllib.parse.urlencode(form or {}).encode()
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            head, _, text = (await reader.read()).partition(b"\r\n\r\n")
            if not text:
                raise EOFError
            if b"chunked" in head:
                text = b"".join(line for line in text.split(b"\r\n")[1::2])
            return int(head.split(b" ", 2)[1]), json.loads(text)
        finally:
            writer.close()
    return await asyncio.wait_for(run(), timeout)


UNANSWERED = (OSError, EOFError, ValueError, asyncio.TimeoutError, asyncio.IncompleteReadError)


class History:
    """One chain of compare-and-swap for each writer, quorum readers of the chains, and a watcher at each member."""

    def __init__(self, stores: list, writers: int = 6):
        self.stores, self.writers = stores, writers
        self.stopping = False
        self.acknowledged = [0] * writers      # the chain's last value whose write was answered
        self.attempted = [0] * writers
        self.written: dict[int, tuple[int, int]] = {}  # index: chain, value
        self.unknown = self.reads = self.problems_seen = 0
        self.seen: list[list[tuple[int, str, str]]] = [[] for _ in stores]
        self.begin = 0

    def moved(self) -> int:
        return sum(self.acknowledged)

    async def write(self, chain: int) -> None:
        value, index, turn = 0, 0, chain
        while not self.stopping:
            turn += 1
            store = self.stores[turn % len(self.stores)]
            self.attempted[chain] = value + 1
            try:
                form = {"value": str(value + 1), "prevValue": str(value)} if value else {"value": "1", "prevExist": "false"}
                status, body = await request(store, "PUT", f"/v2/keys/chain/{chain}", form)
            except UNANSWERED:
                self.unknown += 1
                status, body = 0, {}
            if status in (200, 201):
                assert body["node"]["modifiedIndex"] > index, "a chain's index went back"
                value, index = value + 1, body["node"]["modifiedIndex"]
                self.acknowledged[chain] = value
                self.written[index] = (chain, value)
            else:
                assert status in (0, 412, 500, 503), (status, body)
                value = await self.settle(chain, value)
            await asyncio.sleep(PAUSE_SECONDS)

    async def settle(self, chain: int, value: int) -> int:
        """What a write whose outcome is unknown has come to: a write of before is done or not once a later one is."""
        while not self.stopping:
            for store in self.stores:
                try:
                    status, body = await request(store, "GET", f"/v2/keys/chain/{chain}?quorum=true")
                except UNANSWERED:
                    continue
                if status == 404 and value == 0:
                    return 0
                if status != 200:
                    continue
                found = int(body["node"]["value"])
                assert found in (value, value + 1), f"chain {chain} is at {found} after {value}"
                return found
            await asyncio.sleep(0.05)
        return value

    async def read(self, number: int) -> None:
        """A quorum read is never older than what was acknowledged when it began."""
        turn = number
        while not self.stopping:
            turn += 1
            chain = turn % self.writers
            least = self.acknowledged[chain]
            try:
                status, body = await request(self.stores[turn // 2 % len(self.stores)], "GET", f"/v2/keys/chain/{chain}?quorum=true")
            except UNANSWERED:
                continue
            if status == 200:
                self.reads += 1
                found = int(body["node"]["value"])
                assert found >= least, f"a quorum read of chain {chain} gave {found} after {least} was acknowledged"
                assert found <= self.attempted[chain]
            else:
                assert status in (404, 500, 503) and (status != 404 or least == 0), (status, body)
            await asyncio.sleep(PAUSE_SECONDS)

    async def watch(self, number: int) -> None:
        """Long polls by index, so that each event comes once whatever happens to the connections."""
        store, seen = self.stores[number], self.seen[number]
        while not self.stopping:
            index = seen[-1][0] + 1 if seen else self.begin
            try:
                status, body = await request(store, "GET", f"/v2/keys/chain?wait=true&recursive=true&waitIndex={index}", timeout=2)
            except UNANSWERED:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            assert status in (200, 500, 503), (status, body)
            if status == 200:
                node = body["node"]
                assert node["modifiedIndex"] >= index, "an event came twice"
                seen.append((node["modifiedIndex"], node["key"], node["value"]))

    async def run(self, faults) -> None:
        """The clients run while `faults` does, and a moment longer."""
        self.begin = (await request(self.stores[0], "PUT", "/v2/keys/begin", {"value": "x"}))[1]["node"]["modifiedIndex"] + 1
        tasks = [asyncio.create_task(one) for one in [*map(self.write, range(self.writers)), *map(self.read, range(4)),
                                                      *map(self.watch, range(len(self.stores)))]]
        try:
            worker = asyncio.create_task(faults)
            done, _ = await asyncio.wait([*tasks, worker], return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()  # a client that ended has found something
            await worker
            await self.wait_progress(len(self.stores) * 20)
            self.stopping = True
            await asyncio.gather(*tasks[:self.writers + 4])
            await self.catch_up()
            await asyncio.gather(*tasks[self.writers + 4:])
        finally:
            self.stopping = True
            for one in tasks:
                one.cancel()

    async def wait_progress(self, more: int, seconds: float = 20) -> None:
        wanted = self.moved() + more
        for _ in range(int(seconds / 0.05)):
            if self.moved() >= wanted:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"no progress: {self.moved()} of {wanted} writes")

    async def catch_up(self) -> None:
        """The watchers have stopped, some before the last events: what they have not seen is read to its end."""
        last = max(self.written)
        for store, seen in zip(self.stores, self.seen):
            while not seen or seen[-1][0] < last:
                index = seen[-1][0] + 1 if seen else self.begin
                status, body = await request(store, "GET", f"/v2/keys/chain?wait=true&recursive=true&waitIndex={index}", timeout=10)
                assert status == 200, body
                seen.append((body["node"]["modifiedIndex"], body["node"]["key"], body["node"]["value"]))

    def check(self) -> None:
        for number, seen in enumerate(self.seen):
            indexes = [index for index, _, _ in seen]
            assert indexes == sorted(set(indexes)), f"watcher {number}: events out of order or twice"
            events = {index: (int(key.rsplit("/", 1)[1]), int(value)) for index, key, value in seen}
            for index, what in self.written.items():
                assert events.get(index) == what, f"watcher {number} has {events.get(index)} at {index}, not {what}"
            last = [0] * self.writers
            for chain, value in events.values():
                assert value == last[chain] + 1, f"watcher {number}: chain {chain} goes from {last[chain]} to {value}"
                last[chain] = value
        longest = min(len(seen) for seen in self.seen)
        for seen in self.seen[1:]:
            assert seen[:longest] == self.seen[0][:longest], "two watchers saw different events"
        print(f"{self.moved()} writes acknowledged, {self.unknown} without an answer, {self.reads} quorum reads")
