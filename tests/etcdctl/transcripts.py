"""Plays sessions of command lines (sessions.py) to a program on a fresh member, and makes what it says comparable."""
import json
import os
import re
import select
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SECONDS = 10


class Player:
    """One session: `program` is a list of words, `url`, `peer` and `none` are endpoints (`none`: nobody listens)."""

    def __init__(self, program: list[str], url: str, peer: str, none: str):
        self.program, self.url, self.peer, self.none = program, url, peer, none
        self.background: dict[str, subprocess.Popen] = {}
        self.id = self.wait_published()
        self.base = int(self.get("/v2/keys/")[1]["X-Etcd-Index"])

    def get(self, path: str) -> tuple[str, dict]:
        try:
            answer = urllib.request.urlopen(self.url + path, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.read().decode(), answer.headers

    def wait_published(self) -> str:
        """Until the member has said where clients reach it, which is a write of its own; its id."""
        end = time.monotonic() + SECONDS
        while True:
            member = json.loads(self.get("/v2/members")[0])["members"][0]
            if member["clientURLs"]:
                return member["id"]
            assert time.monotonic() < end, "the member does not publish its URLs"
            time.sleep(0.02)

    # ---- what is asked

    def fill(self, text: str) -> str:
        text = re.sub(r"@\+(\d+)@", lambda found: str(self.base + int(found[1])), text)
        for name, value in (("URL", self.url), ("ID", self.id), ("PEER", self.peer), ("NONE", self.none)):
            text = text.replace(f"@{name}@", value)
        return text

    def command(self, line: str, plain: bool) -> list[str]:
        words = [self.fill(word) for word in shlex.split(line)]
        return [*self.program, *([] if plain else ["--endpoints", self.url]), *words]

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("ETCD")}
        return {**env, "ETCDCTL_API": "2", **{key: self.fill(value) for key, value in more.items()}}

    def watchers(self) -> int:
        return json.loads(self.get("/v2/stats/store")[0])["watchers"]

    # ---- what is said

    def number(self, found: re.Match) -> str:
        value = int(found[2])
        return f"{found[1]}{value}" if value < self.base or value > 1 << 62 else f"{found[1]}+{value - self.base}"

    def mask(self, text: str) -> str:
        # the stock program runs stty for a prompt, also without a terminal
        text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("stty: "))
        text = text.replace(self.id, "ID").replace(self.url, "URL").replace(self.peer, "PEER")
        for endpoint, name in ((self.none, "NONE"), (self.url, "URL")):
            text = text.replace(endpoint, name).replace(endpoint.removeprefix("http://"), f"{name}-ADDRESS")
        text = re.sub(r'("(?:created|modified)Index":)(\d+)', self.number, text)
        text = re.sub(r"((?:Created-Index|Modified-Index|Index): )(\d+)", self.number, text)
        text = re.sub(r"(\) \[)(\d+)(?=\])", self.number, text)
        text = re.sub(r"((?:waitIndex|prevIndex)=)(\d+)", self.number, text)
        text = re.sub(r"(\[)(\d+)(?= != )", self.number, text)
        text = re.sub(r"( != )(\d+)(?=\])", self.number, text)
        text = re.sub(r"(/)(0{8,}\d+)", self.number, text)  # an in-order key
        text = re.sub(r'(ETCD_INITIAL_CLUSTER=")(.*)(?=")', lambda found: found[1] + ",".join(sorted(found[2].split(","))), text)
        text = re.sub(r'"expiration":"[^"]*"', '"expiration":"TIME"', text)
        text = re.sub(r'("ttl":|TTL: )(\d{2,})', lambda found: f"{found[1]}{(int(found[2]) + 5) // 10 * 10}", text)
        text = re.sub(r"(etcdctl version: |VERSION:\n   )[\d.]+", r"\1VERSION", text)
        text = re.sub(r"\[?\b[0-9a-f]{15,16}\b\]?", lambda found: found[0].replace(found[0].strip("[]"), "OTHER-ID"), text)
        return text

    def outcome(self, code: int, out: str, err: str) -> dict:
        return {"out": self.mask(out), "err": self.mask(err), "code": code}

    # ---- steps

    def run(self, line: str, plain: bool = False, env: dict | None = None, input: str | None = None) -> dict:
        done = subprocess.run(self.command(line, plain), env=self.environment(env or {}), input=(input or "").encode(), capture_output=True,
                              timeout=SECONDS, check=False)
        return self.outcome(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def start(self, name: str, line: str, watchers: int, env: dict | None = None) -> None:
        end = time.monotonic() + SECONDS
        while watchers and self.watchers() > len(self.background):  # one that has ended is still counted
            assert time.monotonic() < end, "old watchers stay"
            time.sleep(0.01)
        # a group of its own: the signal is for the program, not for what it runs
        self.background[name] = subprocess.Popen(self.command(line, False), env=self.environment(env or {}), stdin=subprocess.DEVNULL,
                                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        while watchers and self.watchers() < len(self.background) and self.background[name].poll() is None:
            assert time.monotonic() < end, f"{line}: does not begin to watch"
            time.sleep(0.01)

    def finish(self, name: str, send: bool = False, lines: int = 0, size: int = 0) -> dict:
        process = self.background.pop(name)
        out = b""
        if send:
            while out.count(b"\n") < lines or len(out) < size:
                if not select.select([process.stdout], [], [], SECONDS)[0]:
                    process.kill()
                    raise AssertionError(f"{name}: nothing comes behind {out!r}; {process.communicate()}")
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    break
                out += piece
            process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=SECONDS)
        return self.outcome(process.returncode, (out + rest).decode(errors="replace"), err.decode(errors="replace"))

    def step(self, step: str | dict) -> dict | None:
        if isinstance(step, str):
            return self.run(step)
        if "start" in step:
            return self.start(step["start"], step["line"], step["watchers"], step.get("env"))
        if "finish" in step:
            return self.finish(step["finish"], step.get("signal", False), step.get("lines", 0), step.get("bytes", 0))
        return self.run(step["run"], step.get("plain", False), step.get("env"), step.get("input"))

    def close(self) -> None:
        for process in self.background.values():
            process.kill()
            process.communicate()


def shown(step: str | dict) -> str:
    if isinstance(step, str):
        return step
    return step.get("run") if "run" in step else f"{next(iter(step))} {next(iter(step.values()))}"


def read(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())

