"""Clients that mean ill against a real server, and beside them one that behaves, whose answers must keep coming in time."""
import multiprocessing
import resource
import select
import socket
import threading
import time

import pytest
from stores import Cluster, Store

FAST = ["--heartbeat-interval", "20", "--election-timeout", "200"]
P99_SECONDS = 0.5  # generous: two cores may be shared with a compiler
WATCHERS = 15000


class Neighbour:
    """A client that behaves: a write and a read, again and again on one connection, each timed. A process of its own, so that it is
    the server that it waits for."""

    def __init__(self, store: Store, bound: float = P99_SECONDS):
        self.bound = bound
        fork = multiprocessing.get_context("fork")
        self.store, self.stop = store, fork.Event()
        self.near, far = fork.Pipe()
        self.process = fork.Process(target=self.run, args=(far,), daemon=True)

    def run(self, far) -> None:
        times = []
        try:
            with socket.create_connection(("127.0.0.1", self.store.client), timeout=20) as one:
                while not self.stop.is_set():
                    begin = time.monotonic()
                    for request in (b"PUT /v2/keys/good HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                                    b"Content-Length: 7\r\n\r\nvalue=1", b"GET /v2/keys/good HTTP/1.1\r\nHost: x\r\n\r\n"):
                        one.sendall(request)
                        answer = one.recv(65536)
                        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")), answer
                    times.append(time.monotonic() - begin)
                    time.sleep(0.002)
            far.send((times, None))
        except Exception as failure:  # noqa: BLE001: told by the test
            far.send((times, repr(failure)))

    def __enter__(self) -> "Neighbour":
        self.process.start()
        return self

    def __exit__(self, kind, *_: object) -> None:
        self.stop.set()
        times, failure = self.near.recv() if self.near.poll(30) else ([], "it does not end")
        self.process.join(5)
        if kind:
            return
        assert failure is None, failure
        times.sort()
        p99 = times[len(times) * 99 // 100]
        print(f"the neighbour: {len(times)} rounds, p99 {p99 * 1000:.1f} ms, longest {times[-1] * 1000:.1f} ms")
        assert len(times) > 20
        assert p99 < self.bound


def memory(store: Store) -> int:
    """Resident bytes."""
    with open(f"/proc/{store.process.pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def connect(store: Store) -> socket.socket:
    return socket.create_connection(("127.0.0.1", store.client), timeout=20)


def exchange(store: Store, bytes_: bytes, half_close: bool = False) -> bytes:
    """Everything that comes back until the server ends the connection."""
    got = b""
    with connect(store) as one:
        try:
            one.sendall(bytes_)
            if half_close:
                one.shutdown(socket.SHUT_WR)
            while piece := one.recv(65536):
                got += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    return got


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("hostile"), 1, FAST) as cluster:
        yield cluster.stores[0]
        assert cluster.stores[0].process.poll() is None


def test_slow_heads_and_bodies_are_ended_and_hold_up_nobody(store):
    """A thousand of each kind; a head has 10 seconds, a body 30 for each 4 KiB."""
    with Neighbour(store):
        heads = [connect(store) for _ in range(1000)]
        bodies = [connect(store) for _ in range(1000)]
        for one in heads:
            one.sendall(b"GET /v2/keys/ HTTP/1.1\r\nHo")
        for one in bodies:
            one.sendall(b"PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nval")
        begin = time.monotonic()
        for one in heads[:3]:
            while not select.select([one], [], [], 1)[0]:
                one.sendall(b"x")  # does not buy time
                assert time.monotonic() - begin < 20, "a head that comes slowly is not ended"
            assert one.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begin > 5
        for one in heads + bodies:
            one.close()


def test_bodies_too_large_are_refused_at_once_and_end(store):
    before = memory(store)
    for head in (b"Content-Length: 2147483648", b"Content-Length: 18446744073709551615", b"Content-Length: 99999999999999999999999"):
        begin = time.monotonic()
        answer = exchange(store, b"PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n" + bytes(1 << 16), True)
        assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 ")), answer
        assert time.monotonic() - begin < 2
    # who sends on regardless is cut off
    sent = 0
    with connect(store) as one, pytest.raises((ConnectionResetError, BrokenPipeError)):
        one.sendall(b"PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\n")
        while sent < 1 << 31:
            sent += one.send(bytes(1 << 20))
    assert sent < 64 << 20
    # and chunks without end are counted
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    sent = 0
    with connect(store) as one, pytest.raises((ConnectionResetError, BrokenPipeError)):
        one.sendall(b"PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < 1 << 31:
            one.sendall(chunk)
            sent += 1 << 20
    assert sent < 128 << 20
    assert memory(store) - before < 160 << 20


def test_floods_of_headers_are_refused(store):
    before = memory(store)
    with Neighbour(store):
        for _ in range(50):
            for head in (b"".join(b"X-%d: y\r\n" % i for i in range(5000)), b"X: " + b"y" * (1 << 20) + b"\r\n"):
                answer = exchange(store, b"GET /v2/keys/ HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
                assert answer.startswith(b"HTTP/1.1 431 ") or not answer, answer[:100]
    assert memory(store) - before < 16 << 20


@pytest.mark.parametrize("target", [b"/v2/keys" + b"/a" * 3000, b"/v2/keys/" + b"a" * 30000, b"/v2/keys/" + b"%25" * 9000,
                                    b"/v2/keys/%zz", b"/v2/keys/%00%ff%fe", b"/v2/keys/?" + b"a=b&" * 8000,
                                    b"/v2/keys/" + b"../" * 5000, b"*", b"//////////", b"http://x:99999/v2/keys/"],
                         ids=["depth", "length", "percent", "bad-escape", "bad-bytes", "query", "dots", "star", "slashes", "absolute"])
def test_urls_that_are_bombs_get_an_answer(store, target):
    with Neighbour(store):
        for method in (b"GET", b"PUT", b"DELETE", b"POST"):
            for _ in range(10):
                answer = exchange(store, method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 "), answer[:100]
        time.sleep(0.2)


def test_random_bytes_and_half_closed_sockets(store):
    import random
    chance = random.Random(5)
    with Neighbour(store):
        for i in range(1500):
            start = [b"", b"GET /v2/keys/ HTTP/1.1\r\n", b"PUT /v2/keys/r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"][i % 3]
            exchange(store, start + chance.randbytes(chance.randrange(300)), True)
        held = [connect(store) for _ in range(2000)]
        for one in held:
            one.shutdown(socket.SHUT_WR)
        for one in held:
            assert one.recv(10) == b""
            one.close()
    assert exchange(store, b"GET /v2/keys/good HTTP/1.1\r\nHost: x\r\n\r\n", True).startswith(b"HTTP/1.1 200 ")


def test_connections_by_the_thousand_each_second(store):
    with Neighbour(store, 2):  # both cores are busy with making connections
        begin, count = time.monotonic(), 0
        while time.monotonic() - begin < 3:
            burst = []
            for _ in range(200):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", store.client))
                burst.append(one)
            for one in burst:
                one.close()
            count += 200
        print(f"{count / 3:.0f} connects each second")


def test_pipelined_requests_that_nobody_reads_take_no_memory(store):
    for i in range(100):
        assert store.request("PUT", f"/v2/keys/big/{i}", {"value": "v" * 10000})[0] in (200, 201)
    before = memory(store)
    clients = []
    with Neighbour(store):
        for _ in range(20):  # each asks for 1 GB
            one = connect(store)
            one.setblocking(False)
            try:
                one.sendall(b"GET /v2/keys/big?recursive=true HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
            except BlockingIOError:
                pass
            clients.append(one)
        time.sleep(2)
        grown = memory(store) - before
    for one in clients:
        one.close()
    print(f"20 clients that asked for 20 GB: {grown >> 20} MiB")
    assert grown < 100 << 20


def test_who_watches_and_does_not_read_is_let_go(store):
    """Values of 100 kB for a stream whose client sleeps: the queue fills, and the watch ends; those who read get all."""
    before = memory(store)
    request = b"GET /v2/keys/slow?wait=true&stream=true&recursive=true HTTP/1.1\r\nHost: x\r\n\r\n"
    sleepers = [connect(store) for _ in range(50)]
    for one in sleepers:
        one.sendall(request)
        one.recv(4096)  # the head: it watches
    with Neighbour(store):
        for i in range(300):
            assert store.request("PUT", "/v2/keys/slow/a", {"value": f"{i:06}" + "v" * 100000})[0] in (200, 201)
        grown = memory(store) - before
        # an end that can be seen: what had come, and then the end of the answer, or of the connection
        got = b""
        sleepers[0].settimeout(5)
        try:
            while not got.endswith(b"\r\n0\r\n\r\n") and (piece := sleepers[0].recv(1 << 20)):
                got += piece
        except ConnectionResetError:
            pass
        else:
            assert got.endswith(b"\r\n0\r\n\r\n")
        assert got.count(b'"action":"set"') < 300
    for one in sleepers:
        one.close()
    print(f"50 watchers that do not read, 30 MB of events: {grown >> 20} MiB")
    assert grown < 200 << 20


def test_listings_of_a_hundred_thousand_keys_do_not_hold_up_writes(store):
    lines = [b"PUT /v2/keys/list/%d/%d HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 15\r\n\r\n"
             b"value=123456789" % (i % 100, i) for i in range(100000)]

    def fill(part: list[bytes]) -> None:
        with connect(store) as one:
            reader = one.makefile("rb")
            for i in range(0, len(part), 100):
                one.sendall(b"".join(part[i:i + 100]))
                seen = 0
                while seen < 100:
                    line = reader.readline()
                    assert line, "the server ended the connection"
                    seen += line.startswith(b"{")
    threads = [threading.Thread(target=fill, args=(lines[i::20],)) for i in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    before, stop, listed = memory(store), time.monotonic() + 4, 0
    with Neighbour(store):
        while time.monotonic() < stop:
            assert len(exchange(store, b"GET /v2/keys/list?recursive=true&sorted=true HTTP/1.0\r\n\r\n")) > 5000000
            listed += 1
    print(f"{listed} listings of 100,000 keys, {(memory(store) - before) >> 20} MiB")
    assert memory(store) - before < 100 << 20
    store.request("DELETE", "/v2/keys/list?recursive=true")


def test_fifteen_thousand_watchers_each_get_their_event(tmp_path):
    with Cluster(tmp_path, 1, FAST) as cluster:
        check_many_watchers(cluster.stores[0])


def check_many_watchers(store: Store) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < WATCHERS + 1000:
        pytest.skip(f"the limit of open files is {hard}: {WATCHERS} connections need more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before, watchers = memory(store), []
    poll = select.epoll()
    try:
        with Neighbour(store, bound=3):  # one turn of the loop tells all of them
            for i in range(WATCHERS):
                one = socket.socket()
                one.bind((f"127.0.0.{2 + i // 10000}", 0))
                one.connect(("127.0.0.1", store.client))
                one.sendall(b"GET /v2/keys/many?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
                watchers.append(one)
            for one in watchers:
                assert one.recv(4096).startswith(b"HTTP/1.1 200 ")
                poll.register(one, select.EPOLLIN)
            grown = memory(store) - before
            begin = time.monotonic()
            assert store.request("PUT", "/v2/keys/many", {"value": "x"})[0] == 201
            files, told = {one.fileno(): one for one in watchers}, set()
            while len(told) < WATCHERS:
                ready = poll.poll(5)
                assert ready, f"{len(told)} of {WATCHERS} watchers were told"
                for fd, _ in ready:
                    if b'"action":"set"' in files[fd].recv(4096):
                        told.add(fd)
            print(f"{WATCHERS} watchers: {grown // WATCHERS} bytes each, all told in {time.monotonic() - begin:.2f} s")
        assert grown < WATCHERS * 16384
    finally:
        for one in watchers:
            one.close()
        poll.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
