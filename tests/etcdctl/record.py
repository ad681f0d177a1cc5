#!/usr/bin/env python3
"""Records what etcdctl says, or compares programs by it.

  record.py record --etcd PATH --etcdctl PATH            writes NAME.json of each session (stock client, stock server)
  record.py compare --etcdctl PATH --server KIND:PATH    plays the sessions with that client on that server, and prints what
                                                         differs from the recordings; KIND is etcd or store

Servers are started on loopback, on ports from the kernel, with their data in a folder that is removed.
"""
import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from sessions import SESSIONS  # noqa: E402
from transcripts import FOLDER, SECONDS, Player, read, shown  # noqa: E402


def ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def server(kind: str, path: str):
    """A member alone; gives its client and peer URLs, and an endpoint where nobody listens."""
    client, peer, none = (f"http://127.0.0.1:{port}" for port in ports(3))
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        command = [path, "--name", "m0", "--data-dir", f"{folder}/data", "--listen-client-urls", client, "--advertise-client-urls", client,
                   "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"m0={peer}",
                   *(["--enable-v2=true"] if kind == "etcd" else [])]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            end = time.monotonic() + SECONDS
            while True:
                try:
                    urllib.request.urlopen(f"{client}/v2/keys/?quorum=true", timeout=2).close()
                    members = json.load(urllib.request.urlopen(f"{client}/v2/members", timeout=2))["members"]
                    if members[0]["clientURLs"]:
                        break
                except OSError:
                    pass
                assert time.monotonic() < end and process.poll() is None, (Path(folder) / "log").read_text()
                time.sleep(0.05)
            yield client, peer, none
        finally:
            process.kill()
            process.wait()


def play(name: str, program: str, kind: str, path: str) -> list[dict]:
    with server(kind, path) as (client, peer, none):
        player = Player([program], client, peer, none)
        try:
            return [{"step": step, "said": player.step(step)} for step in SESSIONS[name]]
        finally:
            player.close()


def version(program: str) -> str:
    return subprocess.run([program, "--version"], env={"ETCDCTL_API": "2"}, capture_output=True, text=True, check=True).stdout.split()[2]


def record(names: list[str], etcdctl: str, etcd: str) -> int:
    for name in names:
        source = f"etcdctl {version(etcdctl)} with ETCDCTL_API=2, on one fresh member of etcd with --enable-v2"
        steps = play(name, etcdctl, "etcd", etcd)
        (FOLDER / f"{name}.json").write_text(json.dumps({"source": source, "steps": steps}, indent=1, ensure_ascii=False) + "\n")
        print(f"{name}: {len(steps)} steps")
    return 0


def compare(names: list[str], etcdctl: str, kind: str, path: str) -> int:
    differ = same = 0
    for name in names:
        for had, got in zip(read(name)["steps"], play(name, etcdctl, kind, path), strict=True):
            if had["said"] == got["said"]:
                same += 1
                continue
            differ += 1
            print(f"== {name}: {shown(had['step'])}")
            for part in ("code", "out", "err"):
                if had["said"][part] != got["said"][part]:
                    print(f"  {part} was {had['said'][part]!r}\n  {' ' * len(part)} is  {got['said'][part]!r}")
    print(f"{same} steps as recorded, {differ} not")
    return 1 if differ else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "compare"])
    parser.add_argument("--etcdctl", required=True)
    parser.add_argument("--etcd")
    parser.add_argument("--server")
    parser.add_argument("sessions", nargs="*", default=[])
    args = parser.parse_intermixed_args()
    names = args.sessions or list(SESSIONS)
    if args.what == "record":
        return record(names, args.etcdctl, args.etcd)
    kind, _, path = args.server.partition(":")
    return compare(names, args.etcdctl, kind, path)


if __name__ == "__main__":
    sys.exit(main())
