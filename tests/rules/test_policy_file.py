"""Policy and people files: every mistake is told with its place and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

import abide_rules
from abide_rules.errors import MalformedError, PolicyError
from abide_rules.people import People, Person, decode_people, encode_people
from abide_rules.people_file import parse_people
from abide_rules.policy import decode_release, encode_release
from abide_rules.policy_file import TEMPLATES, json_schema, load_template, parse_policy

GOOD = """\
language: 1
id: acme
title: {en: A, zh: 甲}
calendar:
  zone: Europe/Berlin
  hours: {mon-fri: ["09:00-17:00"]}
rules:
  - id: one
    clause: BUS-1
    verdict: block
    services: [chatgpt, "category:image"]
    reason: {en: r, zh: 因}
    instead: {en: i, zh: 代}
"""


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_right_and_survives_publication(name: str) -> None:
    policy = parse_policy(load_template(name), name)
    assert decode_release(encode_release(7, policy)).policy == policy


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "advice"),
    [
        ("verdict: block", "verdict: blok", (10, 14), "“blok” is not possible here", "Did you mean block?"),
        ("BUS-1", "BUS-9", (9, 13), "“BUS-9”", "BUS-1"),
        ("verdict: block", "verdict: block\n    tim: free", (11, 5), "unknown key “tim”", "Did you mean time?"),
        ("    clause: BUS-1\n", "", (8, 5), "“clause” is missing", "Add it"),
        (", zh: 甲", "", (3, 1), "“zh” is missing", "Add it"),
        ("id: acme", "id: ACME Corp", (2, 5), "not a valid id", "lower-case"),
        ("Europe/Berlin", "Europe/Berln", (5, 9), "no time zone", "IANA"),
        ("mon-fri", "mon-fry", (6, 11), "names no days", "mon-fri"),
        ('"09:00-17:00"', '"9-17"', (6, 21), "is no span", "09:00-17:30"),
        ("chatgpt,", "chatgtp,", (11, 16), "“chatgtp”", "chatgpt"),
        ("category:image", "category:imag", (11, 25), "category:imag", "category:image"),
        ("rules:\n", "review_by: soon\nrules:\n", (7, 12), "not a date", "2027-05-31"),
        ("rules:\n", "rules: []\nx:\n", (7, 1), "at least one entry", "Add it"),
        ("id: acme\n", "id: acme\nxyzzy: 1\n", (3, 1), "unknown key “xyzzy”", "Write one of"),
        ("language: 1", "language: 2", (1, 11), "2", ""),
        ("id: acme\n", "id: acme\nid: b\n", (3, 1), "duplicate key", ""),
        ("title: {en: A", "title: {en: [A", (3, 22), "expected", ""),
        ("  zone: Europe/Berlin\n", "  zone: Europe/Berlin\n  holidays: {country: XX}\n", (6, 23), "no holidays", "DE, US or CN"),
    ],
)  # fmt: skip
def test_a_mistake_has_a_place_and_advice(
    old: str, new: str, place: tuple[int, int], message: str, advice: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(GOOD.replace(old, new, 1), "p.yaml")
    found = caught.value.mistakes
    assert any((m.line, m.column) == place and message in m.message and advice in m.advice for m in found), found


def test_several_mistakes_are_told_at_once_in_file_order() -> None:
    text = GOOD.replace("block", "blok").replace("Berlin", "Berln").replace("id: acme", "id: A B")
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "p.yaml")
    assert [m.line for m in caught.value.mistakes] == [2, 10]
    twice = GOOD + GOOD.partition("rules:\n")[2]
    with pytest.raises(PolicyError, match="two rules are called"):
        parse_policy(twice)


@pytest.mark.parametrize(
    "text",
    ["", "- a", "text", "a: [", "\t", "a: &a [*a]", "&a [" + "*a," * 3, "!!python/object:os.system x", "\x00"],
    ids=["empty", "a list", "a word", "cut off", "a tab", "recursive", "broken", "a tag", "a control character"],
)
def test_what_is_no_policy_at_all_is_refused_with_an_error_of_ours(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(text)


def test_a_file_that_unfolds_without_end_is_refused() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(PolicyError, match="more than"):
        parse_policy(bomb)


def test_the_published_schema_is_the_one_of_the_types() -> None:
    published = Path(abide_rules.__file__).parent / "policy.schema.json"
    assert published.read_bytes() == json_schema()


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", b'{"version": "1", "policy": {}}', b"[1]"])
def test_bytes_that_are_no_release_or_people_raise_our_error(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_release(raw)
    if raw != b"{}":
        with pytest.raises(MalformedError):
            decode_people(raw)


PEOPLE = """\
people:
  - {person: p-1, accounts: [alice, 'ACME\\alice'], groups: [hr], zone: Asia/Shanghai}
  - {person: p-2, accounts: [bob], devices: [dev-1]}
  - {person: p-3, accounts: [bob], devices: [dev-2]}
"""
CSV = "person,accounts,groups,zone,devices\np-1,alice;ACME\\alice,hr,Asia/Shanghai,\np-2,bob,,,dev-1\np-3,bob,,,dev-2\n"


@pytest.mark.parametrize(("text", "name"), [(PEOPLE, "p.yaml"), (CSV, "p.csv")], ids=["yaml", "csv"])
@pytest.mark.parametrize(
    ("account", "device", "person"),
    [
        ("alice", "dev-9", Person("p-1", ("hr",), "Asia/Shanghai")),
        ("acme\\ALICE", "dev-9", Person("p-1", ("hr",), "Asia/Shanghai")),
        ("bob", "dev-1", Person("p-2")),
        ("bob", "dev-2", Person("p-3")),
        ("bob", "dev-3", Person()),
        ("mallory", "dev-1", Person()),
    ],
)
def test_an_account_on_a_device_is_a_person(text: str, name: str, account: str, device: str, person: Person) -> None:
    people: People = decode_people(encode_people(parse_people(text, name)))
    assert people.resolve(account, device) == person


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("people: [{person: p, accounts: []}]", "p.yaml", "at least one account"),
        ("people: [{person: p, accounts: [a]}, {person: q, accounts: [A]}]", "p.yaml", "already belongs to p"),
        ("people: [{person: p, accounts: [a], zone: Mars}]", "p.yaml", "no time zone"),
        ("people: [{person: p, acounts: [a]}]", "p.yaml", "acounts"),
        ("[]", "p.yaml", "mapping"),
        ("name,account\nx,y\n", "p.csv", "header"),
        ("person,accounts\n,y\n", "p.csv", "2:1"),
    ],
)
def test_a_mistake_in_a_people_file_is_told(text: str, name: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_people(text, name)
