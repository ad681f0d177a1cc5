"""The stock fleetctl of fleet 1.0: what it was seen to send, byte for byte, command after command, and what fleet answered it."""
import json
import socket
import time
from pathlib import Path
from urllib.parse import unquote

from fleets import WAIT_SECONDS, Fleet, wait_for
from test_fleet_api import METADATA, RECORDED_IDS, for_these

COMMANDS = json.loads((Path(__file__).resolve().parent.parent / "fleet-api" / "fleetctl.json").read_text())
POLL_SECONDS = 0.05  # fleetctl asks every 0.25 s
SOMEWHERE = "somewhere"


class Connection:
    """One kept connection, as Go's client has it to a unix socket."""

    def __init__(self, path: Path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_SECONDS)
        self.socket.connect(str(path))
        self.reader = self.socket.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.socket.close()

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (their names in small letters) and body."""
        data = (body + "\n").encode() if body is not None else b""
        head = [f"{method} {path} HTTP/1.1", "Host: domain-sock", "User-Agent: google-api-go-client/0.5"]
        if body is not None:
            head += [f"Content-Length: {len(data)}", "Content-Type: application/json"]
        self.socket.sendall("\r\n".join([*head, "Accept-Encoding: gzip", "", ""]).encode() + data)
        status = int(self.reader.readline().split()[1])
        headers = {}
        while (line := self.reader.readline().decode().strip()):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if "transfer-encoding" not in headers:
            return status, headers, self.reader.read(int(headers.get("content-length", 0)))
        answer = b""
        while (size := int(self.reader.readline(), 16)):
            answer += self.reader.read(size)
            self.reader.readline()
        self.reader.readline()
        return status, headers, answer


def assert_headers(status: int, headers: dict[str, str], answer: bytes) -> None:
    """Go reads a body by these, and google's client decodes it only if it is JSON."""
    assert headers["server"].startswith("fleetd/")
    assert "content-encoding" not in headers
    if status == 204:
        assert answer == b"" and "content-length" not in headers and "content-type" not in headers
    elif status == 201:
        assert answer == b"" and headers["content-length"] == "0"
    else:
        assert headers["content-type"] == "application/json"


def anywhere(value: object) -> object:
    """Without the IDs of machines that were chosen: fleet's choice was its own."""
    if isinstance(value, list):
        return [anywhere(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: SOMEWHERE if key == "machineID" else anywhere(one) for key, one in value.items()}


def play(connection: Connection, step: dict) -> tuple[object, object]:
    """What came and what should have; a reading that fleetctl repeats until it is content is repeated as long."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        status, headers, answer = connection.ask(step["method"], step["path"], step.get("body"))
        assert_headers(status, headers, answer)
        got = {"status": status}
        if "answer" in step:
            got["answer"] = anywhere(json.loads(answer))
        expected = {"status": step["status"]} | ({"answer": anywhere(step["answer"])} if "answer" in step else {})
        if got == expected or step["method"] != "GET" or time.monotonic() > end:
            return got, expected
        time.sleep(POLL_SECONDS)


def test_stock_fleetctl_is_answered_as_by_fleet(tmp_path):
    with Fleet(tmp_path, metadata=METADATA) as fleet, Connection(fleet.machines[0].socket) as connection:
        for command in COMMANDS:
            for step in command["steps"]:
                got, expected = play(connection, for_these(step, fleet.machines))
                assert got == expected, (command["command"], step["method"], step["path"])
        units = fleet.machines[0].api("GET", "/fleet/v1/state")[1]["states"]
        assert len({row["machineID"] for row in units if row["name"].startswith("hello@")}) == len(RECORDED_IDS)


def test_the_stock_clients_restart_ends(tmp_path):
    """It asks for "loaded", waits for "launched", which held a little longer with fleet 1.0, and asks for "launched"."""
    unit = "/fleet/v1/units/again.service?alt=json"
    options = [{"section": "Service", "name": "ExecStart", "value": f"/bin/sh -c 'echo $$$$ >> {tmp_path}/pids; exec sleep 1000'"}]
    with Fleet(tmp_path, count=1) as fleet, Connection(fleet.machines[0].socket) as connection:
        def wait(state: str) -> None:
            end = time.monotonic() + WAIT_SECONDS
            while json.loads(connection.ask("GET", unit)[2])["currentState"] != state:
                assert time.monotonic() < end, state
                time.sleep(POLL_SECONDS)

        def pids() -> list[str]:
            return (tmp_path / "pids").read_text().split()

        assert connection.ask("PUT", unit, json.dumps({"options": options, "desiredState": "launched"}))[0] == 201
        wait("launched")
        assert connection.ask("PUT", unit, '{"desiredState":"loaded","name":"again.service"}')[0] == 204
        wait_for("it has stopped", lambda: fleet.machines[0].api("GET", unit)[1]["currentState"], lambda state: state == "loaded")
        wait("launched")
        assert connection.ask("PUT", unit, '{"desiredState":"launched","name":"again.service"}')[0] == 204
        wait("launched")
        wait_for("it runs anew", pids, lambda found: len(found) == 2)
        # its stop waits for "loaded", and sees it at its second look
        assert connection.ask("PUT", unit, '{"desiredState":"loaded","name":"again.service"}')[0] == 204
        wait("loaded")


def test_names_in_the_recording_are_encoded_as_go_does_it():
    """Else the test above would show nothing of it."""
    paths = {step["path"] for command in COMMANDS for step in command["steps"]}
    assert any("%40" in path for path in paths) and not any("@" in path for path in paths)
    assert {unquote(path) for path in paths} >= {"/fleet/v1/units/hello@1.service?alt=json", "/fleet/v1/state/hello@1.service?alt=json"}
