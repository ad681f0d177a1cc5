#!/usr/bin/env python3
"""Requests a second with and without a password: of this store and, if ETCD names one, of an etcd. Needs wrk in the path.

    FAERING_BUILD=$PWD/build-release ETCD=/usr/bin/etcd tests/bench/auth.py
"""
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
from stores import Cluster, Store, free_ports  # noqa: E402

ROOT = "Basic cm9vdDpy"  # root:r
SECONDS = 3


def put(store: Store, path: str, body: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with urllib.request.urlopen(urllib.request.Request(store.url + path, body.encode(), headers, method="PUT")) as answer:
        answer.read()


def measure(store: Store, *headers: str) -> float:
    options = [word for header in headers for word in ("-H", header)]
    done = subprocess.run(["wrk", "-t1", "-c32", f"-d{SECONDS}", *options, f"{store.url}/v2/keys/a"], capture_output=True, text=True, check=True)
    assert "Non-2xx" not in done.stdout, done.stdout
    return float(re.search(r"Requests/sec:\s+(\S+)", done.stdout)[1])


def report(name: str, store: Store) -> None:
    put(store, "/v2/keys/a", "value=hello")
    without = measure(store)
    put(store, "/v2/auth/users/root", '{"user":"root","password":"r"}')
    put(store, "/v2/auth/enable", "")
    print(f"{name:8} auth off {without:9.0f}/s   guest {measure(store):9.0f}/s   password {measure(store, 'Authorization: ' + ROOT):9.0f}/s")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Cluster(Path(folder), 1) as cluster:
            report("faering", cluster.stores[0])
        if etcd := os.environ.get("ETCD"):
            client, peer = free_ports(2)
            other = Store(Path(folder), "etcd", client, peer, f"etcd=http://127.0.0.1:{peer}", ["--enable-v2=true"], False)
            other.command[0] = etcd
            other.start()
            try:
                other.wait_ready()
                report("etcd", other)
            finally:
                other.kill()


if __name__ == "__main__":
    main()
