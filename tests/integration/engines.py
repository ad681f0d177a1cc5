"""A real faering-containers in a network and a mount namespace of the test's own, spoken to over its socket as curl would."""
import http.client
import io
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tarfile
import time
from pathlib import Path

from stores import BUILD

WAIT_SECONDS = 20
PROGRAMS = ["sh", "ls", "echo", "cat", "sleep", "true", "false", "env", "id", "hostname", "dd", "nc", "httpd", "wget", "ip", "stat", "grep",
            "touch", "mkdir", "head", "tail", "kill", "mount", "tty", "seq", "stty"]


class Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Raw:
    """A connection that was upgraded: the container's streams."""

    def __init__(self, path: Path, target: str, body: str = ""):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_SECONDS)
        self.socket.connect(str(path))
        self.socket.sendall((f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                             f"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n{body}").encode())
        self.bytes = b""
        while b"\r\n\r\n" not in self.bytes:
            self.more()
        head, _, self.bytes = self.bytes.partition(b"\r\n\r\n")
        self.head = head.decode()

    def more(self) -> bool:
        piece = self.socket.recv(65536)
        self.bytes += piece
        return bool(piece)

    def end_input(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        while self.more():
            pass
        self.socket.close()
        return self.bytes

    def until(self, text: bytes) -> bytes:
        while text not in self.bytes:
            assert self.more(), self.bytes
        return self.bytes

    def streams(self) -> tuple[bytes, bytes]:
        """Output and errors, after the end."""
        return frames(self.rest())


def frames(data: bytes) -> tuple[bytes, bytes]:
    found = {1: b"", 2: b""}
    while data:
        kind, length = struct.unpack(">B3xI", data[:8])
        assert len(data) >= 8 + length, "a frame is cut"
        found[kind] += data[8:8 + length]
        data = data[8 + length:]
    return found[1], found[2]


class Engine:
    """A context; what it made is gone after it."""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.options = folder, options
        self.socket = folder / "engine.sock"
        self.state, self.log = folder / "state", folder / "engine.log"
        self.process: subprocess.Popen | None = None
        self.holder: subprocess.Popen | None = None

    def __enter__(self) -> "Engine":
        self.holder = subprocess.Popen(["unshare", "-m", "-n", "sh", "-c",
                                        "ip link set lo up && mount -t tmpfs tmpfs /run && echo ready && exec sleep 100000"],
                                       stdout=subprocess.PIPE, text=True)
        try:
            assert self.holder.stdout.readline() == "ready\n"
            self.start()
            self.import_image()
        except BaseException:
            self.__exit__()
            raise
        return self

    def inside(self, *command: str) -> list[str]:
        # its root too: where the tests run in a chroot, that of the mount namespace is another
        return ["nsenter", "-m", "-n", "-r", "-w", "-t", str(self.holder.pid), "--", *command]

    def run(self, *command: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=WAIT_SECONDS)

    def start(self) -> None:
        command = self.inside(str(BUILD / "src/containers/faering-containers"), "--listen", f"unix://{self.socket}", "--state-dir",
                              str(self.state), "--run-dir", "/run/faering/containers", "--store", "", *self.options)
        env = {key: value for key, value in os.environ.items() if not key.startswith("FAERING_CONTAINERS_")}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.request("GET", "/_ping")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"the engine is not ready:\n{self.log.read_text()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=WAIT_SECONDS)

    def shims(self) -> list[int]:
        """Our shims, known by the directory they were given."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if words and words[0].endswith(b"faering-shim") and any(word.startswith(str(self.state).encode()) for word in words):
                found.append(int(entry.name))
        return found

    def __exit__(self, *_: object) -> None:
        try:
            if self.process and self.process.poll() is None:
                for row in self.json("GET", "/containers/json?all=1"):
                    self.request("DELETE", f"/containers/{row['Id']}?force=1&v=1")
                self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            for shim in self.shims():
                os.kill(shim, signal.SIGKILL)
            self.holder.kill()
            self.holder.wait()
            shutil.rmtree(self.state, ignore_errors=True)

    # ---- requests ----

    def request(self, method: str, target: str, body: object = None, timeout: float = WAIT_SECONDS) -> tuple[int, bytes]:
        connection = Connection(self.socket, timeout)
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if raw is not None else {}
        connection.request(method, "/v1.41" + target, raw, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    def json(self, method: str, target: str, body: object = None, status: int = 200) -> object:
        got, data = self.request(method, target, body)
        assert got == status, (method, target, got, data)
        return json.loads(data) if data.strip() else None

    def import_image(self) -> None:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            tar.add(shutil.which("busybox"), "bin/busybox")
            for program in PROGRAMS:
                link = tarfile.TarInfo(f"bin/{program}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
            for name, text in {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:100:101::/home/app:/bin/sh\n",
                               "etc/group": "root:x:0:\napp:x:101:\nextra:x:200:app\n", "etc/data/hello": "hello\n"}.items():
                file = tarfile.TarInfo(name)
                file.size = len(text)
                tar.addfile(file, io.BytesIO(text.encode()))
        status, answer = self.request("POST", "/images/create?fromSrc=-&repo=bb", data.getvalue())
        assert status == 200 and b"error" not in answer, answer

    # ---- containers ----

    def create(self, *command: str, name: str = "", host: dict | None = None, **config: object) -> str:
        body = {"Image": "bb", "Cmd": list(command), "HostConfig": host or {}, **config}
        return self.json("POST", f"/containers/create{'?name=' + name if name else ''}", body, 201)["Id"]

    def start_container(self, *command: str, **arguments: object) -> str:
        id = self.create(*command, **arguments)
        status, data = self.request("POST", f"/containers/{id}/start")
        assert status == 204, data
        return id

    def inspect(self, id: str) -> dict:
        return self.json("GET", f"/containers/{id}/json")

    def wait(self, id: str) -> int:
        return self.json("POST", f"/containers/{id}/wait")["StatusCode"]

    def logs(self, id: str, query: str = "") -> tuple[bytes, bytes]:
        status, data = self.request("GET", f"/containers/{id}/logs?stdout=1&stderr=1{query}")
        assert status == 200, data
        return frames(data)

    def output(self, *command: str, **arguments: object) -> str:
        """Runs to its end: what it wrote. The container is removed."""
        id = self.start_container(*command, **arguments)
        self.wait(id)
        out, err = self.logs(id)
        self.request("DELETE", f"/containers/{id}")
        return (out + err).decode()
