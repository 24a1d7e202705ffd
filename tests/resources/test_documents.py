from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import gnomon.resources.documents
from gnomon.resources.documents import MAX_DEPTH, MAX_FILE_BYTES, UnreadableError, read_documents


@pytest.fixture(params=["libyaml", "pure Python"])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure Python":
        monkeypatch.setattr(gnomon.resources.documents, "_LOADER", yaml.SafeLoader)


def value_of(text: str) -> Any:
    (document,) = read_documents(text.encode())
    assert document.findings == ()
    return document.root.value


def causes(text: str) -> list[tuple[int, int, str]]:
    """Return line, column and cause of everything that is wrong with the one document of a text."""
    (document,) = read_documents(text.encode())
    return [(finding.line, finding.column, finding.cause) for finding in document.findings]


def refusal(content: bytes) -> tuple[int, int, str]:
    with pytest.raises(UnreadableError) as caught:
        read_documents(content)
    assert caught.value.finding.mend
    return caught.value.finding.line, caught.value.finding.column, caught.value.finding.cause


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    "text",
    [
        "NO",
        "no",
        "on",
        "off",
        "yes",
        "y",
        "22:30",
        "012",
        "-012",
        "1_000",
        "2020-01-01",
        "1.2.3",
        "0b11",
        "=",
        "1e",
        "+",
        ".",
        "0x",
    ],
)
def test_yaml_1_1_traps_are_text(text: str) -> None:
    assert value_of(f"a: {text}") == {"a": text}


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-17", -17),
        ("+5", 5),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1.5E-3", 0.0015),
        ("'1'", "1"),
        ('"true"', "true"),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found = value_of(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.usefixtures("_loader")
def test_every_key_and_value_knows_its_place() -> None:
    (document,) = read_documents(b"spec:\n  gates:\n    - {metric: rmse,\n       max: 45}\n    - x\n")
    root = document.root
    assert root.value == {"spec": {"gates": [{"metric": "rmse", "max": 45}, "x"]}}
    assert root.place_of(("spec", "gates", 0, "max")) == (4, 13)
    assert root.place_of(("spec", "gates", 0, "max"), key=True) == (4, 8)
    assert root.place_of(("spec", "gates", 1)) == (5, 7)
    assert root.place_of(()) == (1, 1)


def test_what_is_absent_has_the_place_of_its_nearest_parent() -> None:
    (document,) = read_documents(b"a:\n  b: 1\n")
    assert document.root.place_of(("a", "c", "d")) == (2, 3)


@pytest.mark.usefixtures("_loader")
def test_empty_documents_are_left_out_and_the_others_keep_their_lines() -> None:
    documents = read_documents(b"# nothing\n---\na: 1\n---\n---\n# still nothing\n---\nb: 2\n...\n")
    assert [(document.root.value, document.root.line) for document in documents] == [({"a": 1}, 3), ({"b": 2}, 8)]
    assert read_documents(b"") == []


@pytest.mark.usefixtures("_loader")
def test_decoration_is_refused_where_it_stands() -> None:
    assert causes("a: &x 1\nb: *x\nc: !!str 5\nd:\n  <<: {e: 1}\n%f: 1\n".replace("%f", "f")) == [
        (1, 4, "&x is an anchor"),
        (2, 4, "*x is an alias"),
        (3, 4, "!!str is a tag"),
        (5, 3, "<< is a merge key"),
    ]
    assert causes("%YAML 1.2\n---\na: 1\n") == [(1, 1, "YAML directives are not accepted")]


@pytest.mark.usefixtures("_loader")
def test_a_key_stands_once_in_a_mapping() -> None:
    assert causes("a: 1\nb: {c: 1, d: 2, c: 3}\na: {x: y}\n") == [
        (2, 17, '"c" stands twice in one mapping, first at line 2, column 5'),
        (3, 1, '"a" stands twice in one mapping, first at line 1, column 1'),
    ]


@pytest.mark.usefixtures("_loader")
def test_keys_are_text() -> None:
    assert causes("1: a\ntrue: b\n~: c\n? [d, {e: f}]\n: [g]\n? {h: i}\n: j\nk: l\n") == [
        (1, 1, "the key 1 is not text"),
        (2, 1, "the key true is not text"),
        (3, 1, "the key ~ is not text"),
        (4, 3, "a list or a mapping stands where a key belongs"),
        (6, 3, "a list or a mapping stands where a key belongs"),
    ]
    assert value_of("'1': a\n") == {"1": "a"}


@pytest.mark.usefixtures("_loader")
def test_values_that_json_cannot_say_are_refused() -> None:
    texts = ["1e999", ".nan", "-.inf", "9223372036854775808", "1" * 5000, r'"\0"', r'"\e[31m"']
    assert [len(causes(f"a: {text}\n")) for text in texts] == [1] * len(texts)


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    ("content", "line", "column", "cause"),
    [
        (b"a: 1\nb: \xe9\n", 2, 4, "byte 0xe9 is not UTF-8"),
        ("a: 1".encode("utf-16"), 1, 1, "byte 0xff is not UTF-8"),
        (b"a: b\0c\n", 1, 5, "character U+0000 is not text"),
        (b"a: 1\nb: \x1b[31m\n", 2, 4, "character U+001B is not text"),
        (b"a:\n\tb: 1\n", 2, 1, "a tab indents this line"),
        (b"#" * (MAX_FILE_BYTES + 1), 0, 0, "the file has more than 1,048,576 bytes"),
        (b"[\n" * 20_000, MAX_DEPTH + 1, 1, "values are nested more than 32 deep"),
    ],
)
def test_files_that_are_not_text_are_refused_whole(content: bytes, line: int, column: int, cause: str) -> None:
    assert refusal(content) == (line, column, cause)


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    "content", [b"a: b: c\n", b"a: [1, 2\n", b"a: 'x\n", b"a: @x\n", b"a: 1\n b: 2\n", b"- a\nb: c\n", b'"\\q"']
)
def test_syntax_errors_have_a_place_and_a_mend(content: bytes) -> None:
    line, column, cause = refusal(content)
    assert line > 0
    assert column > 0
    assert cause.startswith("YAML syntax: ")


def test_windows_files_are_read() -> None:
    assert value_of("\ufeffa: 1\r\nb:\r\n  - c\r\n") == {"a": 1, "b": ["c"]}


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 1_000_000,
        b"{a: " * 250_000,
        b"- " * 500_000,
        b"? " * 500_000,
        b"".join(b"%c: &%c [%s]\n" % (97 + i, 97 + i, b",".join([b"*%c" % (96 + i)] * 9)) for i in range(1, 25)),
    ],
)
def test_hostile_files_end_at_once(hostile: bytes) -> None:
    """Nothing here is timed: read on, each of these would take minutes or the machine's memory, and run into the time limit."""
    try:
        documents = read_documents(hostile)
    except UnreadableError as error:
        assert "nested" in error.finding.cause  # noqa: PT017 - either refusal will do
    else:
        assert documents[0].findings


def test_findings_are_counted_up_to_a_bound() -> None:
    (document,) = read_documents(b"a: 1\n" * 10_000)
    assert len(document.findings) == gnomon.resources.documents.MAX_FINDINGS


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text("{}[]:,-?*&!|>'\"%@` \n\tab01#<.~", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        documents = read_documents(content)
    except UnreadableError as error:
        assert error.finding.cause and error.finding.mend  # noqa: PT017, PT018 - a refusal is one of two good ends
    else:
        assert all(document.root.line > 0 for document in documents)
