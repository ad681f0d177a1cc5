#!/usr/bin/env python3
"""Writes docs/fleet-transcript.md: explain, plan and whatif on a cluster of five machines, as a run of just now answered them.

    FAERING_BUILD=FOLDER tools/fleet-transcript.py      needs root, as the tests that it borrows from
"""
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))
from fleet_nodes import Nodes, embedded_nodes  # noqa: E402
from fleets import wait_for  # noqa: E402

HEAD = """# explain, plan and whatif on a cluster of five

Written by `tools/fleet-transcript.py` from a real run: five machines beside a store of three members. Three of the machines (n1, n2, n3)
have `trio=yes` in their metadata. Each block is one command and all of its output; a last line says the exit code where it is not 0.
"""
WEB = "[Service]\nExecStart=/bin/sleep 1000\n[X-Fleet]\nMachineMetadata=trio=yes\nConflicts=web@*.service\n"
SIDE = "[Service]\nExecStart=/bin/sleep 1000\n[X-Fleet]\nMachineOf=web@1.service\n"
PLAIN = "[Service]\nExecStart=/bin/sleep 1000\n"
BIG = "[Service]\nExecStart=/bin/sleep 1000\n[X-Fleet]\nMemory=70%\n"


class Transcript:
    def __init__(self, nodes: Nodes):
        self.nodes, self.lines = nodes, [HEAD]

    def write(self, name: str, text: str) -> str:
        return self.nodes.write(name, text)

    def title(self, text: str) -> None:
        self.lines.append(f"## {text}\n")

    def show(self, name: str, text: str) -> str:
        path = self.write(name, text)
        self.lines.append(f"`{name}`:\n\n```ini\n{text}```\n")
        return path

    def run(self, *arguments: str) -> None:
        done = self.nodes[0].run(*arguments)
        words = " ".join(word.replace(f"{self.nodes[0].shared}/", "") for word in arguments)
        told = (done.stdout + done.stderr).rstrip("\n")
        if done.returncode:
            told += f"\n(exit {done.returncode})"
        self.lines.append(f"```\n$ fleetctl {words}\n{told}\n```\n")

    def text(self) -> str:
        """With IDs that are the same in each run."""
        text = "\n".join(self.lines)
        for node in self.nodes:
            stable = f"{node.number}" * 8 + "f1ee7" + "0" * 18 + f"{node.number}"
            text = text.replace(node.id, stable).replace(node.id[:8], stable[:8])
        return re.sub(r"[ \t]+$", "", text, flags=re.M)


def play(t: Transcript) -> None:
    nodes = t.nodes
    t.title("What a start would do, before it is done")
    web, side, plain = t.show("web@.service", WEB), t.show("side.service", SIDE), t.show("plain.service", PLAIN)
    t.run("list-machines")
    nodes[0].ok("submit", web)
    instances = [t.write(f"web@{n}.service", WEB) for n in range(1, 5)]
    t.run("plan", *instances[:3], side, plain)
    t.run("start", "web@1", "web@2", "web@3", side, plain)
    t.run("list-units")

    t.title("Why a unit is where it is, and why another has no place")
    t.run("explain", "side")
    t.run("start", "--no-block", "web@4")
    t.run("explain", "web@4")
    t.run("status", "web@4")

    t.title("What would be")
    t.run("whatif", "node-loss", nodes[4].id[:8])
    t.run("whatif", "node-loss", next(machine for unit, machine in nodes[0].active().items() if unit == "web@1.service")[:8])
    t.run("whatif", "any-1")
    t.run("plan", "--destroy", "web@2")
    t.run("plan", "--replace", t.show("plain.service", PLAIN + "[X-Fleet]\nMachineOf=web@2.service\n"))

    t.title("Resources")
    bigs = [t.show("big1.service", BIG)] + [t.write(f"big{n}.service", BIG) for n in range(2, 7)]
    t.run("plan", *bigs)
    t.run("start", "--no-block", *bigs[:5])
    wait_for("all five run", nodes[0].active, lambda found: sum(unit.startswith("big") for unit in found) == 5)
    t.run("start", "--block-attempts=1", bigs[5])
    t.run("explain", "big6")
    t.run("whatif", "any-1")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, embedded_nodes(Path(folder)) as nodes:
        transcript = Transcript(nodes)
        play(transcript)
        (ROOT / "docs/fleet-transcript.md").write_text(transcript.text())


if __name__ == "__main__":
    main()
