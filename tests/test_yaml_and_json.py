import json
import time

import pytest

from ntkreg.documents import (
    MOST_BYTES,
    parse_json,
    parse_yaml,
    read_json,
    read_json_mapping,
    read_yaml,
)
from ntkreg.errors import DataError, SpecError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("a: 1e-3", {"a": 0.001}),
        ("a: [1E5, -2e+3, 1.5e3, .5e3, 1_0e2]", {"a": [1e5, -2e3, 1500.0, 500.0, 1000.0]}),
        ("a: '1e-3'", {"a": "1e-3"}),
        ("a: 1e", {"a": "1e"}),
        ("a: e5", {"a": "e5"}),
        ("a: 1e5f", {"a": "1e5f"}),
        ("a: [010, 0o17, -007, 1:30, 1:30.5]", {"a": ["010", "0o17", "-007", "1:30", "1:30.5"]}),
        ("a: [0, -0, +7, 1_000, 0x1F, 0b101]", {"a": [0, 0, 7, 1000, 31, 5]}),
        ("a: [1.5, -.5, 3., .inf, -.INF, 0.1, 1_0.5]",
         {"a": [1.5, -0.5, 3.0, float("inf"), -float("inf"), 0.1, 10.5]}),
        ("a: [!!float 3, !!int '3', !!float 1e3]", {"a": [3.0, 3, 1000.0]}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: {b: [x, null, true, 3]}", {"a": {"b": ["x", None, True, 3]}}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("t: {u: {v: &a {<<: {x: 1}, x: 2}}}\nb: {<<: *a}",
         {"t": {"u": {"v": {"x": 2}}}, "b": {"x": 1}}),
        ("{1: a, '1': b}", {1: "a", "1": "b"}),
    ],
)  # fmt: skip
def test_yaml_is_read_as_people_mean_it(text, value):
    found = parse_yaml(text, "text")
    assert repr(found) == repr(value) or found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "key 'a' is given twice, in line 1 and line 3"),
        ("a:\n  b: 1\n  c: {d: 1, d: 2}", "key 'd' is given twice, in line 3 and line 3"),
        ("- {x: 1}\n- {y: 1, 'y': 2}", "key 'y' is given twice"),
        ("a: [", "line 2"),
        ("a: \tb\n\tc", "not valid YAML"),
        ("{[1]: 2}", "not valid YAML"),
        ("a: 1\n---\nb: 2", "single document"),
        ("a: *b", "undefined alias"),
        ("a: &a [*a]", "an alias of what it stands in"),
        ("a: \0", "not valid YAML"),
        ("a: \ud800", "not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: 'python/object/apply:os.system'"),
        ("a: !!python/name:os.system", "no plain value"),
        ("a: !!binary aGVsbG8=", "'binary' is no plain value"),
        ("a: !!set {x, y}", "'set' is no plain value"),
        ("a: !!timestamp 2020-01-01", "'timestamp' is no plain value"),
        ("a: !mine 1", "'!mine' is no plain value"),
        ("a: !!int x", "not valid YAML"),
        ("a: !!float {}", "not valid YAML"),
        ("a: 1" + "0" * 400, "a number of 401 characters"),
        ("a: !!int 1" + ":1" * 100_000, "a number of"),
        ("a: 1\nb: !!int ''", "line 2: '' is no int"),
        ("a: !!int '-'", "line 1: '-' is no int"),
        ("a: !!float ''", "line 1: '' is no float"),
        ("a: !!int 010", "line 1: '010' is no int"),
        ("a: !!int 1:30", "line 1: '1:30' is no int"),
        ("a: !!int 1.5", "'1.5' is no int"),
        ("a: !!bool maybe", "'maybe' is no bool"),
        ("a: !!bool " + "x" * 1000, "is no bool"),
        ("{" + ", ".join(f"{i * (2**61 - 1)}: x" for i in range(1, 20_000)) + "}",
         "over 1,000 keys that are numbers"),
        ("\n".join(f"- {{{', '.join(f'{i * (2**61 - 1)}.0: x' for i in range(1, 101))}}}"
                   for _ in range(12)), "over 1,000 keys that are numbers"),
        ("a: 0x" + "f" * 100_000, "a number of"),
        ("[" * 60 + "]" * 60, "nested over 50 deep"),
        ("\n".join(f"{' ' * i}- " for i in range(200)), "nested over 50 deep"),
        ("[" * 100_000, "not valid YAML"),
        ("[" + "1," * 200_000 + "1]", "over 100,000 values"),
        ("x" * (MOST_BYTES + 1), "characters"),
        ("a: &a [x, x, x, x, x, x, x, x, x]\n"
         + "".join(f"a{i}: &a{i} [{', '.join(['*a' + str(i - 1 if i else '')] * 9)}]\n"
                   for i in range(9)).replace("a-1", "a"), "over 100,000 values"),
        ("a: &a {x: 1}\n"
         + "".join(f"a{i}: &a{i} {{<<: [{', '.join(['*a' + str(i - 1 if i else '')] * 9)}]}}\n"
                   for i in range(9)).replace("a-1", "a"), "over 100,000 values"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_yaml_that_is_wrong_or_beyond_bounds_is_refused_at_once(text, message):
    start = time.process_time()
    with pytest.raises(SpecError, match=r"^text: not valid YAML") as caught:
        parse_yaml(text, "text")
    assert message in str(caught.value)
    assert time.process_time() - start < 5
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not sound JSON"),
        ("{", "not sound JSON"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "key 'c' is given twice"),
        ("[" * 60 + "]" * 60, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 60 + "1" + "}" * 60, "nested too deeply"),
        ("1" * 5000, "not sound JSON"),
        (b"\xff\xff", "not sound JSON"),
        (b"[" + b" " * MOST_BYTES + b"]", "more than a file of this kind"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_json_that_is_wrong_or_beyond_bounds_is_refused(text, message):
    with pytest.raises(DataError, match=r"^text: ") as caught:
        parse_json(text, "text")
    assert message in str(caught.value)


def test_a_key_twice_among_many_is_found_at_once():
    text = "{" + ", ".join(f'"{i}": 0' for i in range(60_000)) + ', "59999": 1}'
    start = time.process_time()
    with pytest.raises(DataError, match="key '59999' is given twice"):
        parse_json(text, "text")
    assert time.process_time() - start < 1


def test_sound_json_comes_back():
    value = {"a": [1, 2.5, None, True, "x"], "b": {"c": {}}}
    assert parse_json(json.dumps(value), "text") == value
    deep = json.loads("[" * 50 + "]" * 50)
    assert parse_json(json.dumps(deep), "text") == deep
    assert parse_json('"' + "x" * 50 + '"', "text", limit=52) == "x" * 50
    with pytest.raises(DataError, match="more than"):
        parse_json('"' + "x" * 50 + '"', "text", limit=51)


def test_files_are_read_within_bounds_and_by_name(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff")
    with pytest.raises(SpecError, match=r"a\.yaml: not valid YAML"):
        read_yaml(path)
    path.write_bytes(b"a: " + b"x" * MOST_BYTES)
    with pytest.raises(SpecError, match=r"a\.yaml: larger than 1,048,576 bytes"):
        read_yaml(path)
    with pytest.raises(DataError, match=r"a\.yaml: larger than"):
        read_json(path)
    path.write_text("[1]")
    assert read_yaml(path) == read_json(path) == [1]
    with pytest.raises(DataError, match=r"a\.yaml: must hold one JSON object; found a list"):
        read_json_mapping(path)
    path.write_text('{"a": 1}')
    assert read_json_mapping(path) == {"a": 1}
    link = tmp_path / "link"
    link.symlink_to(path)
    assert read_json(link) == {"a": 1}
    with pytest.raises(DataError, match="a symbolic link"):
        read_json(link, links=False)
    for read in (read_yaml, read_json):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nothing")
