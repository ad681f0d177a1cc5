"""A way to a daemon's socket that notes what is asked for on it."""
import re
import socket
import threading
from pathlib import Path


def pass_on(source: socket.socket, to: socket.socket, noted: bytearray) -> None:
    try:
        while piece := source.recv(1 << 16):
            noted += piece
            to.sendall(piece)
        to.shutdown(socket.SHUT_WR)
    except OSError:  # the other side has gone
        pass


class Relay:
    """A context: a socket at `path` whose connections go on to `target`, byte for byte."""

    def __init__(self, path: Path, target: Path):
        self.path = path
        self.target = target
        self.sent: list[bytearray] = []
        self.listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> "Relay":
        self.listener.bind(str(self.path))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def accept(self) -> None:
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:  # it was closed
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(self.target))
            self.sent.append(bytearray())
            threading.Thread(target=pass_on, args=(near, far, self.sent[-1]), daemon=True).start()
            threading.Thread(target=pass_on, args=(far, near, bytearray()), daemon=True).start()

    def requests(self) -> list[str]:
        """Method and target of each."""
        return [line.decode() for sent in self.sent for line in re.findall(rb"([A-Z]+ \S+) HTTP/1\.1\r\n", sent)]

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.path.unlink()
