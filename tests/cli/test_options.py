from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ntkreg.cli.options import (
    add_config,
    attribute_docs,
    make_parser,
    output_folder,
    parse,
    prepare_folder,
    resolve,
)
from ntkreg.errors import SpecError


@dataclass(frozen=True)
class Small:
    """Settings.

    Attributes
    ----------
    size : int
        How many,
        in all.
    network : mapping
    first, last : bool
        Whether 50 % count.
    mode : {"fast", None}
    """

    size: int
    network: dict[str, Any]
    first: bool = True
    last: bool = True
    mode: str | None = None
    widths: tuple[int, ...] = (1, 2)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("size: 3\nnetwork: {recipe: cntk, depth: 5, readout: gap}\nmode: fast\n")
    return str(path)


def resolved(*arguments):
    parser = make_parser("small", "CONFIG", "About.", "  none")
    add_config(parser, Small)
    return resolve(Small, parse(parser, arguments))


def test_help_comes_from_the_docstring():
    assert attribute_docs(Small) == {
        "size": "How many, in all.",
        "network": "mapping",
        "first": "Whether 50 % count.",
        "last": "Whether 50 % count.",
        "mode": "One of {fast, null}.",
    }


def test_help_of_keys_that_are_a_base_s_comes_from_its_docstring():
    @dataclass(frozen=True)
    class Larger(Small):
        """More settings.

        Attributes
        ----------
        size : int
            How many more.
        """

    assert attribute_docs(Larger) == {**attribute_docs(Small), "size": "How many more."}


def test_help_shows_defaults_and_examples(capsys):
    with pytest.raises(SystemExit):
        resolved("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "Whether 50 % count. (default: true)" in text
    assert "(default: [1, 2])" in text
    assert text.endswith("examples: none")


def test_the_file_alone_gives_its_values_and_defaults(written):
    config = resolved(written)
    assert config.size == 3
    assert config.mode == "fast"
    assert config.widths == (1, 2)


def test_the_command_line_wins_over_the_file(written):
    config = resolved("--size", "1", written, "--mode", "null", "--widths", "[7]", "--first=false")
    assert (config.size, config.mode, config.widths, config.first) == (1, None, (7,), False)
    assert config.last is True


def test_a_key_of_a_mapping_leaves_the_others_alone(written):
    config = resolved(written, "--network.depth", "9", "--network.window=5")
    assert config.network == {"recipe": "cntk", "depth": 9, "readout": "gap", "window": 5}


@pytest.mark.parametrize(
    "arguments",
    [["--network", "{recipe: fully_connected, depth: 2}"],
     ["--network.recipe", "fully_connected", "--network.depth", "2"]],
)  # fmt: skip
def test_another_recipe_replaces_the_whole_mapping(written, arguments):
    assert resolved(written, *arguments).network == {"recipe": "fully_connected", "depth": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--szie", "3"], r"small: unknown option --szie\. Did you mean --size\?"),
        (["--szie=3"], "Did you mean --size"),
        (["--netwrok.depth", "3"], "Did you mean --network"),
        (["--qqqqqq", "3"], "See `ntkreg small --help`"),
        (["--siz", "3"], "unknown option --siz"),
        (["--size", "big"], "--size must be an integer; got big"),
        (["--size", "1.5"], r"--size must be an integer; got 1\.5"),
        (["--first", "perhaps"], "--first must be true or false; got perhaps"),
        (["--widths", "3"], r"--widths must be a list such as '\[10,20\]'; got 3"),
        (["--network", "cntk"], "--network must be a mapping"),
        (["--size"], "--size: expected one argument"),
        (["more"], "unrecognized arguments: more"),
    ],
)
def test_a_wrong_option_is_named_with_what_to_do(written, arguments, message):
    with pytest.raises(SpecError, match=message):
        resolved(written, *arguments)


def test_a_config_that_may_be_left_out_is_not_given_if_it_is(written):
    parser = make_parser("small", "[CONFIG]", "About.", "  none")
    add_config(parser, Small, config_required=False)
    assert parse(parser, []) == {}
    assert parse(parser, ["--size", "1"]) == {"size": 1}
    assert output_folder(parse(parser, []), "small_run") == Path("results/small_run")
    assert output_folder(parse(parser, [written]), "small_run") == Path("results/small")
    with pytest.raises(SpecError, match=r"^the options given: key 'network' is missing"):
        resolve(Small, parse(parser, ["--size", "1"]))


def test_a_missing_file_and_a_missing_key_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.yaml: there is no such configuration"):
        resolved(str(tmp_path / "none.yaml"))
    (tmp_path / "part.yaml").write_text("size: 3\n")
    with pytest.raises(SpecError, match="key 'network' is missing"):
        resolved(str(tmp_path / "part.yaml"))
    with pytest.raises(SpecError, match="required: CONFIG"):
        resolved()


def test_an_unknown_key_of_the_file_suggests_the_nearest(tmp_path):
    path = tmp_path / "typo.yaml"
    path.write_text("szie: 3\nnetwork: {}\n")
    with pytest.raises(SpecError, match=r"typo\.yaml: unknown key 'szie'. Did you mean 'size'"):
        resolved(str(path))


def test_an_output_that_is_no_folder_is_named(tmp_path):
    for output in ("", "a\0b"):
        with pytest.raises(SpecError, match="--output must be a folder to write into; got"):
            output_folder({"output": output}, "fit")
    file = tmp_path / "rows.csv"
    file.write_text("kept")
    with pytest.raises(SpecError, match=r"--output must be a folder to write into; .*is a file"):
        prepare_folder(file)
    assert file.read_text() == "kept"
