"""/fleet/v1 as fleet 1.0 answers it: what was recorded of it, pages of many units, names with escapes."""
import base64
import json
import struct
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from fleets import WAIT_SECONDS, Fleet

PROBE = json.loads((Path(__file__).resolve().parent.parent / "fleet-api" / "probe.json").read_text())
RECORDED_IDS = [f"{n}" * 8 + "f1ee7" + "0" * 18 + f"{n}" for n in (1, 2, 3)]
METADATA = ["disk=ssd,region=us-east", "disk=hdd,region=us-west", "disk=hdd,region=us-east"]
OPTIONS = [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep 1000"}]


def ask(machine, step: dict) -> tuple[int, object]:
    """Sends a recorded request as it was."""
    data = ["-d", step["body"]] if "body" in step else []
    kind = ["-H", f"Content-Type: {step['type']}"] if "type" in step else []
    done = subprocess.run(["curl", "-sS", "-g", "-X", step["method"], "--unix-socket", str(machine.socket), "-w", "\n%{http_code}", *kind,
                           *data, f"http://localhost{step['path']}"], capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert done.returncode == 0, (step, done.stderr)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(text) if text.strip() else None


def for_these(value, machines):
    """A recorded value, with this cluster's IDs and addresses in place of the recorded ones."""
    text = json.dumps(value)
    for number, (recorded, machine) in enumerate(zip(RECORDED_IDS, machines), 1):
        text = text.replace(recorded, machine.id).replace(f"127.0.0.1{number}", machine.address)
    return json.loads(text)


def test_recorded_requests_are_answered_as_by_fleet(tmp_path):
    with Fleet(tmp_path, supervisor="fake", metadata=METADATA) as fleet:
        one = fleet.machines[0]
        template = {"desiredState": "inactive", "options": OPTIONS}
        assert one.api("PUT", "/fleet/v1/units/hello@.service", template)[0] == 201
        wrong = []
        for step in PROBE:
            step = for_these(step, fleet.machines)
            expected = step.get("ours", step)
            got = ask(one, step)
            if got != (expected["status"], expected["answer"]):
                wrong.append((step["method"], step["path"], step.get("body"), got, expected))
        assert wrong == []


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """One machine and 250 units that are wanted nowhere but for the first, which is launched."""
    with Fleet(tmp_path_factory.mktemp("many"), count=1, supervisor="fake") as fleet:
        one = fleet.machines[0]
        for number in range(250):
            assert one.api("PUT", f"/fleet/v1/units/u{number:03d}.service", {"options": OPTIONS})[0] == 201
        yield one


def token(limit: int, page: int) -> str:
    return base64.urlsafe_b64encode(struct.pack("<HH", limit, page)).decode()


def test_units_come_in_pages_of_a_hundred(many):
    names, following, pages = [], "", []
    while following is not None:
        status, body = many.api("GET", f"/fleet/v1/units?nextPageToken={quote(following)}" if following else "/fleet/v1/units")
        assert status == 200
        pages.append(len(body["units"]))
        names += [unit["name"] for unit in body["units"]]
        following = body.get("nextPageToken")
        if following:
            assert following == token(100, len(pages) + 1)
    assert pages == [100, 100, 50]
    assert names == [f"u{number:03d}.service" for number in range(250)]
    assert len(many.ok("list-unit-files", "--no-legend").splitlines()) == 250


def test_a_page_behind_the_last_is_empty(many):
    assert many.api("GET", f"/fleet/v1/units?nextPageToken={quote(token(100, 4))}") == (200, {})
    assert many.api("GET", "/fleet/v1/units?nextPageToken=ab!c")[1]["error"]["message"] == "illegal base64 data at input byte 2"


def test_names_are_decoded_once_and_stay_names(many):
    assert many.api("PUT", "/fleet/v1/units/web%401.service", {"options": OPTIONS})[0] == 201
    assert many.api("GET", "/fleet/v1/units/web@1.service")[1]["name"] == "web@1.service"
    assert many.api("PUT", "/fleet/v1/units/mnt-a%5Cx2db.mount", {"options": OPTIONS})[0] == 201
    assert many.api("GET", "/fleet/v1/units/mnt-a%5cx2db.mount")[1]["name"] == "mnt-a\\x2db.mount"
    assert many.api("GET", "/fleet/v1/units/web%252541.service")[0] == 404
    assert many.api("GET", "/fleet/v1/units/a%2Fb.service") == (404, {"error": {"code": 404, "message": ""}})
    assert many.api("GET", "/fleet/v1/units/web%401.service%00")[0] == 400
    for name in ("web%401.service", "mnt-a%5Cx2db.mount"):
        assert many.api("DELETE", f"/fleet/v1/units/{name}")[0] == 204


def test_empty_values_are_left_out_as_by_fleet(many):
    """Its client does so too: `ExecStart=` comes without a value."""
    options = [{"section": "Service", "name": "ExecStart"}, *OPTIONS]
    assert many.api("PUT", "/fleet/v1/units/reset.service", {"options": options}) == (201, {})
    assert many.api("GET", "/fleet/v1/units/reset.service")[1]["options"] == options
    assert many.ok("cat", "reset.service") == "[Service]\nExecStart=\nExecStart=/bin/sleep 1000\n"
    assert many.api("DELETE", "/fleet/v1/units/reset.service")[0] == 204


def test_bodies_and_headers_are_as_by_fleet(many):
    def raw(*arguments: str) -> str:
        return subprocess.run(["curl", "-sSi", "--unix-socket", str(many.socket), *arguments], capture_output=True, text=True, check=True).stdout

    answer = raw("http://localhost/fleet/v1/state?machineID=nosuch")
    assert answer.endswith("\n\n{}") and "Content-Length: 2\n" in answer
    assert "Content-Type: application/json\n" in raw("-X", "PATCH", "-d", "[]", "http://localhost/fleet/v1/machines")
    without = raw("-X", "PUT", "-H", "Content-Type:", "-d", "{}", "http://localhost/fleet/v1/units/a.service")
    assert without.startswith("HTTP/1.1 415 ") and "expected 1 Content-Type, got 0" in without


def test_a_write_is_seen_by_the_next_reading(many):
    """Each answer comes when the daemon's own view has what was written."""
    for _ in range(30):
        assert many.api("PUT", "/fleet/v1/units/now.service", {"options": OPTIONS})[0] == 201
        assert many.api("GET", "/fleet/v1/units/now.service")[1]["desiredState"] == "inactive"
        assert many.api("PUT", "/fleet/v1/units/now.service", {"desiredState": "loaded"})[0] == 204
        assert many.api("GET", "/fleet/v1/units/now.service")[1]["desiredState"] == "loaded"
        assert many.api("DELETE", "/fleet/v1/units/now.service")[0] == 204
        assert many.api("DELETE", "/fleet/v1/units/now.service")[0] == 404


def test_discovery_names_every_resource(many):
    status, body = many.api("GET", "/fleet/v1/discovery")
    assert status == 200 and body["id"] == "fleet:v1" and body["discoveryVersion"] == "v1"
    assert {name: sorted(resource["methods"]) for name, resource in body["resources"].items()} == {
        "Machines": ["List"], "UnitState": ["Get", "List"], "Units": ["Delete", "Get", "List", "Set"]}
    assert body["resources"]["Units"]["methods"]["Set"]["request"] == {"$ref": "Unit"}
    assert set(body["schemas"]["Unit"]["properties"]) == {"name", "options", "desiredState", "currentState", "machineID"}
