"""A name server for programs that look up SRV records: they run with it in a network namespace of their own.

As a program: nameserver.py RECORDS COMMAND…, with RECORDS in JSON as run_with_names() has them.
"""
import json
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

HOST = "host.example.test"
A, SRV = 1, 33
SECONDS = 60


def run_with_names(folder: Path, records: dict[str, list[tuple[int, int]]], *command: str) -> subprocess.CompletedProcess:
    """`records`: of each SRV name its priorities and ports, all at HOST, which is 127.0.0.1."""
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:2\n")
    inside = f'ip link set lo up && mount --bind {folder}/resolv.conf /etc/resolv.conf && exec /usr/bin/python3 {__file__} "$@"'
    return subprocess.run(["unshare", "--net", "--mount", "sh", "-c", inside, "sh", json.dumps(records), *command],
                          capture_output=True, text=True, timeout=SECONDS + 30)


def encode_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def decode_name(question: bytes) -> tuple[str, int]:
    """The name asked for, and where it ends."""
    at, labels = 12, []
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    return ".".join(labels).lower(), at + 1


def reply(records: dict[str, list[tuple[int, bytes]]], question: bytes) -> bytes:
    name, end = decode_name(question)
    kind, = struct.unpack(">H", question[end:end + 2])
    found = [data for one, data in records.get(name, []) if one == kind]
    answer = question[:2] + struct.pack(">HHHHH", 0x8180 if name in records else 0x8183, 1, len(found), 0, 0) + question[12:end + 4]
    for data in found:
        answer += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
    return answer


def serve(server: socket.socket, records: dict[str, list[tuple[int, bytes]]]) -> None:
    while True:
        question, client = server.recvfrom(512)
        server.sendto(reply(records, question), client)


def main() -> int:
    records = {HOST: [(A, bytes([127, 0, 0, 1]))]}
    for name, targets in json.loads(sys.argv[1]).items():
        records[name] = [(SRV, struct.pack(">HHH", priority, 0, port) + encode_name(HOST)) for priority, port in targets]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    threading.Thread(target=serve, args=(server, records), daemon=True).start()
    return subprocess.run(sys.argv[2:], timeout=SECONDS).returncode


if __name__ == "__main__":
    sys.exit(main())
