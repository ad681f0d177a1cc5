"""Runs inside the namespaces of test_boot.py: makes the machine, answers as faering-init, runs the command, tells what
happened. Reads its order from standard input as JSON, and writes the outcome as JSON."""
import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

WAIT_SECONDS = 30


def mount_own(path: str) -> None:
    """An empty, own folder in the place of `path`, for this namespace only."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests: list[str] = []
    answers: dict[str, list] = {}
    asked: dict[str, int] = {}
    until_ready: list[str] = []  # goes on until faering-boot has said that it is ready, and was asked a few times more

    def do_GET(self) -> None:  # noqa: N802, the name is the library's
        self.answer()

    def do_POST(self) -> None:  # noqa: N802, the name is the library's
        self.requests.append(self.path)
        self.answer()

    def answer(self) -> None:
        asked = self.asked[self.path] = self.asked.get(self.path, 0) + 1
        if self.path in self.until_ready and ("READY" not in self.requests or asked < 4):
            self.answers[self.path] = [200, {"active": "activating"}]
        elif self.path in self.until_ready:
            self.answers.pop(self.path, None)
            self.until_ready.remove(self.path)
        status, answer = self.answers.get(self.path, [200, {"active": "active", "sub": "running", "result": "success", "load": "loaded"}])
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_arguments: object) -> None:
        pass


def hear_ready(notify: socket.socket) -> None:
    """A word on $NOTIFY_SOCKET; what comes with it (the barrier) is closed by not being taken."""
    while True:
        if b"READY=1" in notify.recv(4096).split(b"\n"):
            Handler.requests.append("READY")


def main() -> None:
    order = json.load(sys.stdin)
    keep = {name: Path("/etc", name).read_bytes() for name in ("passwd", "group", "shadow", "gshadow", "login.defs")}
    pam = {file.name: file.read_bytes() for file in Path("/etc/pam.d").iterdir() if file.is_file()}
    for path in ("/etc", "/run", "/var/lib", "/home"):
        mount_own(path)
    Path("/etc/pam.d").mkdir()
    for name, content in pam.items():
        Path("/etc/pam.d", name).write_bytes(content)
    for name, content in keep.items():
        Path("/etc", name).write_bytes(content)
    Path("/var/lib/faering/boot").mkdir(parents=True)
    Path("/var/lib/faering/boot/user-data").write_text(order["user_data"])
    if order["init"]:
        Path("/run/faering").mkdir()
        Handler.answers = order["answers"]
        server = UnixStreamServer("/run/faering/init.sock", Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    env = dict(os.environ)
    if order["until_ready"]:
        Handler.until_ready = order["until_ready"]
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind("/run/notify")
        threading.Thread(target=hear_ready, args=[notify], daemon=True).start()
        env["NOTIFY_SOCKET"] = "/run/notify"
    done = subprocess.run(order["command"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WAIT_SECONDS)
    files = {path: Path(path).read_text() for path in order["show"] if Path(path).exists()}
    json.dump({"code": done.returncode, "output": done.stdout, "requests": Handler.requests, "files": files,
               "hostname": socket.gethostname()}, sys.stdout)


if __name__ == "__main__":
    # Without unshare this would hide the files of whoever calls it.
    if os.readlink("/proc/self/ns/mnt") == os.readlink(f"/proc/{os.getppid()}/ns/mnt"):
        sys.exit("boot_machine.py runs only inside a mount namespace of its own")
    main()
