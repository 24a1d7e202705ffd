from pathlib import Path

import pytest

from gnomon.errors import GnomonError, NotFoundError, UsageError
from gnomon.pipeline.signature import Parameter, read_signature
from tests.pipeline.projects import write


def names(root: Path, text: str, function: str = "f") -> tuple[list[str], bool]:
    found = read_signature(write(root, {"a.py": text}), "a.py", function)
    return [each.name + ("=" if each.has_default else "") for each in found.parameters], found.takes_any


@pytest.mark.parametrize(
    ("text", "parameters", "takes_any"),
    [
        ("def f(): ...", [], False),
        ("def f(x, y=1, *, z, w=None): ...", ["x", "y=", "z", "w="], False),
        ("def f(x, *args, **rest): ...", ["x"], True),
        ("import functools\n@functools.cache\ndef f(x): ...", ["x"], False),
        ("f = lambda x, y=2: x", ["x", "y="], False),
        ("def f(x): ...\ndef f(y): ...", ["y"], False),
        ("try:\n    import fast\nexcept ImportError:\n    def f(slow): ...", ["slow"], False),
        ("if True:\n    def f(x): ...\nelse:\n    def f(y): ...", ["y"], False),
    ],
)
def test_parameters_are_read_from_the_text(tmp_path: Path, text: str, parameters: list[str], *, takes_any: bool) -> None:
    assert names(tmp_path, text) == (parameters, takes_any)


def test_user_code_is_never_imported(tmp_path: Path) -> None:
    assert names(tmp_path, "raise SystemExit('imported')\ndef f(x): ...")[0] == ["x"]


def test_a_function_may_come_from_another_file_of_the_repository(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pkg/__init__.py": "from .steps import inner as f",
            "pkg/steps.py": "from pkg.deep.last import g as inner",
            "pkg/deep/last.py": "\n\ndef g(x): ...",
        },
    )
    found = read_signature(tmp_path, "pkg/__init__.py", "f")
    assert (found.place, found.parameters) == ("pkg/deep/last.py:3", (Parameter("x", has_default=False),))


@pytest.mark.parametrize(
    ("text", "error", "cause", "mend"),
    [
        ("def g(x): ...", NotFoundError, "a.py defines no 'f'", "name a function at the top level of the file"),
        ("def ff(x): ...", NotFoundError, "a.py defines no 'f', but 'ff'", "name a function"),
        ("class f:\n    def __init__(self, x): ...", UsageError, "'f' of a.py is no function", "write def f(...) there"),
        (
            "import functools\nf = functools.partial(print, 1)",
            UsageError,
            "is no function that is defined in this",
            "write def",
        ),
        ("from math import sqrt as f", UsageError, "is no function that is defined in this repository", "write def f"),
        ("from ..beyond import f", UsageError, "is no function that is defined in this repository", "write def f"),
        ("from a import f", UsageError, "is no function that is defined in this repository", "write def f"),
        ("async def f(x): ...", UsageError, "f at a.py:1 is a coroutine", "write def instead of async def"),
        ("def f(x, /, y): ...", UsageError, "f at a.py:1 has parameters that cannot be given by name", "remove the /"),
        ("def f(:\n", UsageError, "a.py:1 is not Python", "mend the file"),
        ("def f(x): ...\0", UsageError, "a.py is not Python", "mend the file"),
        ("(" * 5000 + ")" * 5000, UsageError, "is not Python", "mend the file"),
    ],
)
def test_what_cannot_be_called_is_refused(tmp_path: Path, text: str, error: type[GnomonError], cause: str, mend: str) -> None:
    with pytest.raises(error) as caught:
        names(tmp_path, text)
    assert cause in caught.value.cause
    assert mend in caught.value.mend


def test_a_missing_file_is_told_with_its_likely_name(tmp_path: Path) -> None:
    write(tmp_path, {"flow/clean.py": "def f(): ..."})
    with pytest.raises(NotFoundError, match=r"there is no file flow/claen.py \(did you mean flow/clean.py\?\)"):
        read_signature(tmp_path, "flow/claen.py", "f")
    with pytest.raises(NotFoundError, match="there is no file flow"):
        read_signature(tmp_path, "flow", "f")
