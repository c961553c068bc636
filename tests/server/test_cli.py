"""The command line: set up, publish, roll back, revoke, export, and say plainly what does not hold."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from abide_rules.policy import decode_release
from abide_rules.verify import verify_export
from abide_rules.wire import POLICY_TARGET
from abide_server.config import DataDir
from abide_server.repository import Repository
from abide_server.signing import Signers
from abide_server.store.base import Release
from abide_server.store.sqlite import SqliteStore
from tests.server.conftest import House
from tests.server.house import policy, read_token, run, run_program


@pytest.fixture(scope="module")
def commands() -> list[list[str]]:
    names = ["init", "serve", "token", "publish", "rollback", "people", "devices", "export", "status"]
    return [[name] for name in names] + [["devices", "revoke"]]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "data"
    run("init", "--data", str(folder), "--url", "http://127.0.0.1:8470")
    return folder


@pytest.fixture
def data(tmp_path: Path, fresh: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "data"))


def _json(*arguments: str, code: int = 0) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.returncode == code, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _policy(folder: Path, text: str, name: str = "policy.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def _released(data: Path) -> Any:
    folder = DataDir(data)
    raw = Repository(folder.tuf, Signers(folder.keys)).read_target("policy", POLICY_TARGET)
    return decode_release(raw) if raw is not None else None


def test_every_command_has_help_and_json(commands: list[list[str]]) -> None:
    for command in commands:
        text = run(*command, "--help").stdout
        assert "--json" in text, command
        assert "--data" in text, command


def test_init_makes_a_private_folder_and_never_overwrites(data: Path) -> None:
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (data / "keys").iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 7
    before = (data / "keys" / "receipt.pem").read_bytes()
    again = run("init", "--data", str(data))
    assert again.returncode == 1
    assert "not empty" in again.stderr
    assert (data / "keys" / "receipt.pem").read_bytes() == before


def test_publish_numbers_releases_and_rollback_takes_a_new_number(data: Path, tmp_path: Path) -> None:
    strict, balanced = (_policy(tmp_path, policy(name), f"{name}.yaml") for name in ("strict", "balanced"))
    assert _json("publish", strict, "--data", str(data), "--note", "first") == {"version": 1}
    assert _json("publish", balanced, "--data", str(data)) == {"version": 2}
    assert _json("rollback", "1", "--data", str(data)) == {"version": 3, "policy_of": 1}
    assert (_released(data).version, _released(data).policy.id) == (3, "strict")
    found = _json("status", "--data", str(data))
    assert [(r["version"], r["file"], r["note"]) for r in found["releases"]] == [
        (3, "strict.yaml", "rollback to release 1"),
        (2, "balanced.yaml", ""),
        (1, "strict.yaml", "first"),
    ]


def test_a_wrong_policy_shows_every_mistake_with_its_place_and_is_not_published(data: Path, tmp_path: Path) -> None:
    wrong = policy().replace("clause: BUS-1", "clause: NOPE-1").replace("clause: PER-1", "clause: NOPE-1")
    lines = wrong.splitlines()
    expected = {n for n, line in enumerate(lines, start=1) if "NOPE-1" in line}
    file = _policy(tmp_path, wrong)
    answer = _json("publish", file, "--data", str(data), code=1)
    assert {mistake["line"] for mistake in answer["mistakes"]} == expected
    assert all(mistake["column"] > 1 for mistake in answer["mistakes"])
    text = run("publish", file, "--data", str(data)).stderr
    assert all(f"policy.yaml:{line}:" in text for line in expected)
    assert _released(data) is None


REFUSED = {
    "a release that never was": (["rollback", "7"], "never published"),
    "a file that does not exist": (["publish", "nowhere.yaml"], "cannot read"),
    "a device that is not enrolled": (["devices", "revoke", "dev-0"], "not enrolled"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_answer_no_has_exit_code_1_and_advice(name: str, data: Path) -> None:
    arguments, reason = REFUSED[name]
    done = run(*arguments, "--data", str(data))
    assert done.returncode == 1
    assert reason in done.stderr


def test_wrong_usage_has_exit_code_2() -> None:
    assert run("publish").returncode == 2
    assert run("token", "--uses", "0").returncode == 2


def test_without_a_data_directory_the_advice_is_to_make_one(tmp_path: Path) -> None:
    done = run("status", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "abide-server init" in done.stderr


def test_a_token_carries_all_that_a_laptop_needs(data: Path) -> None:
    answer = _json("token", "--data", str(data), "--group", "sales", "--uses", "3", "--expires", "2")
    token = read_token(answer["token"])
    assert (token.url, token.group, token.ca) == ("http://127.0.0.1:8470", "sales", "")
    assert answer["command"] == f"abide-agent enroll {answer['token']}"


def test_status_says_plainly_when_the_signing_keys_lie_here(data: Path, tmp_path: Path) -> None:
    assert "can forge a policy" in run("status", "--data", str(data)).stdout
    assert _json("status", "--data", str(data))["forgeable"] is True
    away = tmp_path / "away"
    away.mkdir()
    for role in ("root", "targets", "policy"):
        (data / "keys" / f"{role}.pem").rename(away / f"{role}.pem")
    assert "cannot forge a policy" in run("status", "--data", str(data)).stdout
    assert _json("status", "--data", str(data))["forgeable"] is False
    file = _policy(tmp_path, policy())
    refused = run("publish", file, "--data", str(data))
    assert refused.returncode == 1
    assert "policy.pem" in refused.stderr
    assert _json("publish", file, "--data", str(data), "--key", str(away / "policy.pem"))["version"] >= 1
    assert _released(data) is not None


def test_a_key_that_may_not_sign_is_refused(data: Path, tmp_path: Path) -> None:
    file = _policy(tmp_path, policy())
    wrong = str(data / "keys" / "people.pem")
    done = run("publish", file, "--data", str(data), "--key", wrong)
    assert done.returncode == 1
    assert "is not the key" in done.stderr
    assert _released(data) is None


def test_people_are_checked_and_published(data: Path, tmp_path: Path) -> None:
    good = _policy(tmp_path, "people:\n  - person: p-1\n    accounts: [anna]\n", "people.yaml")
    assert _json("people", good, "--data", str(data))["bytes"] > 0
    bad = _policy(tmp_path, "people:\n  - person: p-1\n    accounts: [anna]\n    zone: Nowhere\n", "bad.yaml")
    assert _json("people", bad, "--data", str(data), code=1)["mistakes"][0]["line"] == 2


def test_the_installed_program_is_the_same(data: Path) -> None:
    assert run_program("devices", "--data", str(data)).stdout == "No device is enrolled yet.\n"
    assert run_program("rollback", "1", "--data", str(data)).returncode == 1
    assert run_program("rollback").returncode == 2


async def test_an_export_verifies_offline_and_shows_devices(house: House, tmp_path: Path) -> None:
    laptops = [await house.laptop() for _ in range(2)]
    for laptop in laptops:
        await laptop.send(3)
        await laptop.send(2)
    output = tmp_path / "export.ndjson"
    data = str(house.data.root)
    answer = json.loads((await asyncio.to_thread(run, "export", "-o", str(output), "--data", data, "--json")).stdout)
    assert (answer["devices"], answer["batches"]) == (2, 4)
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    with output.open("rb") as lines:
        verify_export(lines)
    listed = json.loads((await asyncio.to_thread(run, "devices", "--data", data, "--json")).stdout)["devices"]
    assert {(d["device"], d["last_seq"]) for d in listed} == {(laptop.device, 5) for laptop in laptops}
    done = await asyncio.to_thread(run, "devices", "revoke", laptops[0].device, "--data", data, "--note", "lost")
    assert done.returncode == 0
    assert (await laptops[0].post(laptops[0].batch()))[0] == 403
    assert [act.action for act in await house.store.acts(2)] == ["revoke", "export"]


async def _release(data: Path, version: int) -> Release | None:
    store = SqliteStore(data / "abide.sqlite3")
    try:
        return await store.release(version)
    finally:
        await store.close()


def test_history_keeps_the_source_who_and_when(data: Path, tmp_path: Path) -> None:
    text = policy().replace("owner: Compliance", "owner: Somebody  # a comment that stays")
    _json("publish", _policy(tmp_path, text), "--data", str(data), "--note", "why")
    release = asyncio.run(_release(data, 1))
    assert release is not None
    assert release.source == text
    assert release.actor
    assert release.published is not None
