"""Requests whose answers by etcd 3.4.23 were recorded (tests/v2/README.md): one member, and a follower of three, answer alike."""
import hashlib
import http.client
import json
import re
import shlex
import socket
import threading
import time
import urllib.parse
from pathlib import Path

import pytest
from stores import Cluster, Store

RECORDINGS = Path(__file__).resolve().parents[1] / "v2"
HEADERS = ("Content-Type", "X-Etcd-Index", "X-Raft-Index", "X-Raft-Term", "X-Etcd-Cluster-Id")
LEADER_ONLY = ("GET /v2/stats/leader", "GET /v2/stats/self")  # a follower has rates to tell, and no followers
INDEX_KEYS = ("createdIndex", "modifiedIndex", "index", "X-Etcd-Index")


def shape(value):
    """What `!shape` leaves of a body: keys and types."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if value is None or isinstance(value, bool):
        return "bool" if value is not None else "null"
    return "string" if isinstance(value, str) else "number"


class Watch:
    """A GET in the background whose events are gathered."""

    def __init__(self, store: Store, path: str):
        self.connection = http.client.HTTPConnection("127.0.0.1", store.client, timeout=20)
        self.connection.request("GET", path)
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()  # an etcd sends the head before there is an event
        self.text = ""
        self.ended = False
        self.seen = 0
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def close(self) -> None:
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # the thread that reads sees the end
        except OSError:
            pass  # the server has closed it before
        self.thread.join()
        self.connection.close()

    def read(self) -> None:
        try:
            while piece := self.answer.read1(65536):
                self.text += piece.decode()
            self.ended = True
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass

    def events(self) -> list:
        decoder, events, at = json.JSONDecoder(), [], 0
        while at < len(self.text.rstrip()):
            event, at = decoder.raw_decode(self.text, at)
            events.append(event)
            at += len(self.text[at:]) - len(self.text[at:].lstrip())
        return events

    def wait(self, count: int, seconds: float) -> list:
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(self.events()) < self.seen + count:
            time.sleep(0.01)
        self.thread.join(0.05)  # a long poll ends with its event
        events = self.events()[self.seen:]
        self.seen += len(events)
        return events


class Player:
    def __init__(self, store: Store, case: str):
        self.store, self.case = store, case
        _, headers, _ = store.request("GET", "/v2/keys/?quorum=true")
        self.base = int(headers["x-etcd-index"])
        self.variables: dict[str, int] = {"BASE": self.base}
        self.watches: dict[str, Watch] = {}

    def fill(self, text: str) -> str:
        text = text.replace("$P", f"/v2/keys/{self.case}").replace("$K", f"/{self.case}")
        return re.sub(r"\$\{(\w+)([+-]\d+)?\}", lambda m: str(self.variables[m[1]] + int(m[2] or 0)), text)

    def send(self, method: str, words: list[str]) -> tuple[int, http.client.HTTPMessage, bytes]:
        path = urllib.parse.quote(self.fill(words[0]), safe="".join(map(chr, range(33, 127))))
        form, headers, body = [], {}, None
        content_type = "application/x-www-form-urlencoded"
        for word in words[1:]:
            name, _, value = word.partition("=")
            if name == "@body":
                body = self.fill(value).encode().decode("unicode_escape").encode("latin-1") if "\\" in value else self.fill(value).encode()
            elif name == "@big":
                letter, _, count = value.partition("*")
                form.append(("value", letter * int(count)))
            elif name == "@ct":
                content_type = value
            elif name == "@nct":
                content_type = ""
            elif word.startswith("H:"):
                headers[name[2:]] = value
            elif word[0] not in "@!>":
                form.append((name, self.fill(value)))
        if body is None and (form or method in ("PUT", "POST")):
            body = urllib.parse.urlencode(form).encode()
        if body is not None and content_type:
            headers["Content-Type"] = content_type
        connection = http.client.HTTPConnection("127.0.0.1", self.store.client, timeout=20)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def step(self, text: str, wanted: dict | None) -> None:
        words = shlex.split(text.removeprefix("~"))
        if wanted is None and words[0] not in ("SLEEP", "CLOSE"):
            self.send(words[0], words[1:])  # set-up, whose answer was not recorded
        elif words[0] == "REPEAT":
            for i in range(int(words[1])):
                status, _, _ = self.send(words[2], [word.replace("{i}", str(i)) for word in words[3:]])
                assert str(status) in wanted["statuses"]
        elif words[0] == "SLEEP":
            time.sleep(float(words[1]))
        elif words[0] == "WATCH":
            watch = self.watches[words[1]] = Watch(self.store, self.fill(words[2]))
            assert watch.answer.status == wanted["status"]
            self.match(wanted.get("headers", {}), dict(watch.answer.headers), text)
        elif words[0] == "AWAIT":
            watch = self.watches[words[1]]
            self.match(wanted["events"], watch.wait(int(words[2]), 8), text)
            assert watch.ended == wanted["ended"], text
        elif words[0] == "QUIET":
            watch = self.watches[words[1]]
            self.match(wanted["events"], watch.wait(1, float(words[2])), text)
        elif words[0] == "CLOSE":
            self.watches.pop(words[1]).close()
        else:
            status, headers, body = self.send(words[0], words[1:])
            assert status == wanted["status"], f"{text}: {body!r}"
            if "headers" in wanted:
                names = HEADERS + (("Allow",) if "!allow" in words else ())
                self.match(wanted["headers"], {name: headers[name] for name in names if name in headers}, text)
            if "body" in wanted:
                got = json.loads(body) if body[:1] == b"{" else body.decode().strip()
                if "!shape" in words:
                    got = shape(got) if body[:1] == b"{" else "<text>"
                self.match(wanted["body"], got, text)
            for word in words[2:]:
                if word.startswith(">"):
                    name, _, path = word[1:].partition("=")
                    value = json.loads(body)
                    for key in path.split("."):
                        value = value[int(key)] if isinstance(value, list) else value[key]
                    self.variables[name] = value

    def match(self, wanted, got, text: str, key: str = "") -> None:
        """`wanted` has +N for indexes, from the one at the start of the case, and <…> for what differs from run to run."""
        where = f"{text}: {key}: {got!r} instead of {wanted!r}"
        if wanted == "<masked>":
            return
        if wanted == "<index>":
            assert int(got) > 0, where
            return
        if isinstance(wanted, dict):
            assert isinstance(got, dict), where
            if not any(name.startswith("X-Etcd") for name in wanted):
                assert wanted.keys() == got.keys(), where
            for name, value in wanted.items():
                self.match(value, got.get(name), text, name)
        elif isinstance(wanted, list):
            assert len(wanted) == len(got), where
            if key == "nodes" and "!ordered" not in text:
                got = sorted(got, key=lambda node: node["key"])
            for one, other in zip(wanted, got):
                self.match(one, other, text)
        elif key == "ttl" and isinstance(wanted, int):
            assert abs(got - wanted) <= 2, where  # what remains of it depends on how long the case has run
        elif key in INDEX_KEYS:
            assert int(got) == (self.base + int(wanted) if isinstance(wanted, str) else wanted), where
        elif key == "cause" and "!causeidx" in text:
            expected = re.sub(r"#([+-]\d+|0)", lambda m: str(self.base + int(m[1]) if m[1] != "0" else 0), wanted)
            assert got == expected, where
        elif isinstance(wanted, str) and wanted.startswith("<rfc3339"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", got), where
        elif isinstance(wanted, str) and wanted.startswith("<string len="):
            digest = hashlib.sha1(got.encode()).hexdigest()[:12]
            assert wanted == f"<string len={len(got)} sha1={digest}>", where
        elif wanted in ("<hex>", "<number>"):
            assert re.fullmatch("[0-9a-f]+", got), where
        elif key == "Allow":
            assert sorted(got.split(",")) == wanted.split(","), where
        elif key == "Content-Type":
            assert got.lower().replace(" ", "") == wanted, where
        elif isinstance(wanted, str) and "<seq" in wanted:
            expected = re.sub(r"<seq([+-]\d+)>", lambda m: f"{self.base + int(m[1]):020d}", wanted)
            assert got == expected, where
        else:
            assert got == wanted, where


@pytest.fixture(scope="module", params=[1, 3], ids=["alone", "follower"])
def store(request, tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("v2"), request.param) as cluster:
        leader = cluster.leader()
        # each member tells the cluster its name when it is ready: a write, which is not to come in between
        end = time.monotonic() + 10
        while not all(one["name"] for one in leader.members()[1]["members"]):
            assert time.monotonic() < end, leader.members()
            time.sleep(0.02)
        yield next((one for one in cluster.stores if one is not leader), leader)


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDINGS.glob("*.json")))
def test_answers_are_those_of_etcd(store, name):
    recording = json.loads((RECORDINGS / f"{name}.json").read_text())
    player = Player(store, recording["case"])
    try:
        for step in recording["steps"]:
            if step["step"].startswith(LEADER_ONLY) and not store.is_leader():
                continue  # recorded from a member alone, which leads
            player.step(step["step"], step["got"])
    finally:
        for watch in player.watches.values():
            watch.close()
        store.request("DELETE", f"/v2/keys/{recording['case']}?recursive=true")
