"""Which edits of a project change the closure of its function ``fit`` in ``train.py``, and which do not."""

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gnomon
from gnomon.errors import NotFoundError, UsageError
from gnomon.pipeline.closure import closure
from gnomon.pipeline.dag import FunctionRef
from tests.pipeline.projects import fit, write

BASE = {
    "train.py": '''
        """How flights are learnt."""
        import math

        import features.build as build
        from features import scaled
        from shared.constants import RATE, LIMITS

        DEPTH = 3
        LEAVES = 2 ** DEPTH
        UNUSED = 1


        def traced(function):
            return function


        class Base:
            """What models share."""

            bias = 1

            def shift(self, value):
                return value + self.bias


        class Learner(Base):
            def learn(self, rows: list[int]) -> int:
                return self.shift(len(rows))


        @traced
        def fit(rows, leaves=LEAVES):
            """Fit a model."""
            # the learner counts
            total = Learner().learn(rows) * leaves

            def inner(value):
                return build.doubled(value)

            return math.floor(inner(total) + scaled(RATE))


        def unrelated(rows):
            return rows + UNUSED


        if __name__ == "__main__":
            print(fit([]))
        ''',
    "features/__init__.py": "from .scale import scaled_by_two as scaled\n",
    "features/scale.py": """
        from shared import maths


        def scaled_by_two(value):
            return maths.times(value, 2)


        def other(value):
            return value
        """,
    "features/build.py": """
        from . import scale


        def doubled(value):
            from shared.maths import times as product

            return product(scale.other(value), 2)
        """,
    "shared/__init__.py": "",
    "shared/maths.py": """
        def times(left, right):
            return left * right


        def minus(left, right):
            return left - right
        """,
    "shared/constants.py": """
        BASE_RATE = 0.25
        RATE = BASE_RATE * 2
        LIMITS = {"low": 0}
        OTHER = 9
        """,
    "alone.py": "VALUE = 1\n",
}


@dataclass(frozen=True)
class Edit:
    """Replace text in a file of the base project, or add files to it first."""

    file: str
    old: str
    new: str
    given: Mapping[str, str] = field(default_factory=dict)


SAME = {
    "a comment": Edit("train.py", "# the learner counts", "# it really does"),
    "a new comment behind code": Edit("train.py", "DEPTH = 3", "DEPTH = 3  # levels"),
    "the docstring of the function": Edit("train.py", "Fit a model.", "Fit the model."),
    "the docstring of the module": Edit("train.py", "How flights are learnt.", "Learning."),
    "the docstring of a base class": Edit("train.py", "What models share.", "Shared."),
    "a docstring where there was none": Edit(
        "shared/maths.py", "def times(left, right):", 'def times(left, right):\n    "Multiply."'
    ),
    "blank lines": Edit("train.py", "def unrelated", "\n\n\ndef unrelated"),
    "spaces and line breaks": Edit("shared/maths.py", "return left * right", "return (left\n            *right)"),
    "quotes": Edit("shared/constants.py", '{"low": 0}', "{'low': 0}"),
    "annotations of a function": Edit("shared/maths.py", "def times(left, right):", "def times(left: int, right: int) -> int:"),
    "the annotation of a constant": Edit("train.py", "DEPTH = 3", "DEPTH: int = 3"),
    "annotations of a method": Edit("train.py", "rows: list[int]) -> int", "rows)"),
    "an unrelated function in the same file": Edit("train.py", "return rows + UNUSED", "return rows - UNUSED"),
    "a new unrelated function": Edit("train.py", "def unrelated", "def another():\n    return 5\n\n\ndef unrelated"),
    "an unrelated constant in the same file": Edit("train.py", "UNUSED = 1", "UNUSED = 2"),
    "an unrelated constant of another file": Edit("shared/constants.py", "OTHER = 9", "OTHER = 10"),
    "an imported constant that is not used": Edit("shared/constants.py", '{"low": 0}', '{"low": 1}'),
    "an unrelated function of a reached file": Edit("shared/maths.py", "return left - right", "return right - left"),
    "an unrelated file": Edit("alone.py", "VALUE = 1", "VALUE = 2"),
    "what only runs as a program": Edit("train.py", "print(fit([]))", "print(fit([1]))"),
    "the order of functions": Edit(
        "shared/maths.py",
        "def times(left, right):\n    return left * right\n\n\ndef minus(left, right):\n    return left - right\n",
        "def minus(left, right):\n    return left - right\n\n\ndef times(left, right):\n    return left * right\n",
    ),
    "an import for type checkers": Edit(
        "train.py", "DEPTH = 3", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import alone\nDEPTH = 3"
    ),
    "a logger": Edit("train.py", "UNUSED = 1", "import logging\nLOG = logging.getLogger('x')\nUNUSED = 1"),
    "a local name like a module-level one": Edit(
        "alone.py",
        "VALUE = 1",
        "VALUE = 2",
        {"train.py": "import alone\n\n\ndef fit(rows):\n    alone = [each for each in rows]\n    return alone\n"},
    ),
    "a parameter like a module-level function": Edit(
        "train.py",
        "return 1",
        "return 2",
        {"train.py": "def unrelated():\n    return 1\n\n\ndef fit(unrelated):\n    return unrelated\n"},
    ),
    "an unrelated dataclass": Edit(
        "train.py",
        "y: int = 1",
        "y: int = 2",
        {
            "train.py": """
            from dataclasses import dataclass, field
            @dataclass(frozen=True)
            class Options:
                x: list = field(default_factory=list)
                y: int = 1
            def fit(rows):
                return rows
            """
        },
    ),
    "an unrelated regular expression": Edit(
        "train.py", "'a+'", "'b+'", {"train.py": "import re\nP = re.compile('a+')\ndef fit(rows):\n    return rows\n"}
    ),
}

DIFFERENT = {
    "the body": Edit("train.py", "return math.floor(", "return math.ceil("),
    "the name of a local variable": Edit("train.py", "total", "sum_of_all"),
    "a default argument": Edit("train.py", "leaves=LEAVES", "leaves=7"),
    "the value of a default argument": Edit("train.py", "2 ** DEPTH", "3 ** DEPTH"),
    "a constant of a constant": Edit("train.py", "DEPTH = 3", "DEPTH = 4"),
    "a constant of another file": Edit("shared/constants.py", "BASE_RATE * 2", "BASE_RATE * 3"),
    "a constant of a constant of another file": Edit("shared/constants.py", "0.25", "0.5"),
    "the type of a constant": Edit("train.py", "DEPTH = 3", "DEPTH = 3.0"),
    "a decorator": Edit("train.py", "return function", "return lambda *a, **k: function(*a, **k)"),
    "one decorator less": Edit("train.py", "@traced\n", ""),
    "a method": Edit("train.py", "self.shift(len(rows))", "self.shift(len(rows) + 1)"),
    "a base class": Edit("train.py", "bias = 1", "bias = 2"),
    "the bases": Edit("train.py", "Learner(Base)", "Learner(Base, object)"),
    "a helper, two imports away, through a package": Edit("shared/maths.py", "left * right", "right * left"),
    "a helper that a re-export hides": Edit("features/scale.py", "maths.times(value, 2)", "maths.times(2, value)"),
    "a re-export": Edit("features/__init__.py", "scaled_by_two as scaled", "other as scaled"),
    "a helper of a relative import": Edit(
        "features/scale.py", "def other(value):\n    return value", "def other(value):\n    return -value"
    ),
    "an import inside a function": Edit("features/build.py", "import times as product", "import minus as product"),
    "an alias of an import": Edit("train.py", "build.doubled", "build.doubled.__call__"),
    "a statement that acts": Edit("shared/maths.py", "def minus", "import math\nmath.pi = 3\n\n\ndef minus"),
    "a call when a reached module is imported": Edit("features/__init__.py", "from .scale", "print('hello')\nfrom .scale"),
    "an augmented constant": Edit("shared/constants.py", "OTHER = 9", "RATE += 1"),
    "a loop that fills a constant": Edit("train.py", "DEPTH = 3", "DEPTH = 3\nfor _ in range(2):\n    DEPTH = DEPTH + 1"),
    "a constant changed by a subscript": Edit("shared/constants.py", "OTHER = 9", 'LIMITS["low"] = 1'),
    "one branch of a conditional import": Edit(
        "train.py",
        "VALUE = 0",
        "VALUE = 1",
        {"train.py": "try:\n    from absent import VALUE\nexcept ImportError:\n    VALUE = 0\ndef fit():\n    return VALUE\n"},
    ),
    "a function defined under a condition": Edit(
        "train.py",
        "return 1",
        "return 2",
        {"train.py": "import sys\nif sys.platform:\n    def step():\n        return 1\ndef fit():\n    return step()\n"},
    ),
    "the order of assignments": Edit(
        "train.py",
        "X = 1\nY = X\nX = 2\n",
        "X = 1\nX = 2\nY = X\n",
        {"train.py": "X = 1\nY = X\nX = 2\n\n\ndef fit():\n    return X, Y\n"},
    ),
    "what a registry holds": Edit(
        "train.py",
        "return 1",
        "return 2",
        {
            "train.py": """
            STEPS = {}
            def step(function):
                STEPS[function.__name__] = function
                return function
            @step
            def one():
                return 1
            def fit(name):
                return STEPS[name]()
            """
        },
    ),
    "a field of a dataclass": Edit(
        "train.py",
        "x: int\n",
        "x: float\n",
        {"train.py": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n\n\ndef fit():\n    return A(1)\n"},
    ),
    "what a subclass hook tells": Edit(
        "plugins.py",
        "VALUE = 1",
        "VALUE = 2",
        {
            "base.py": "class Plugin:\n    known = []\n    def __init_subclass__(cls):\n        Plugin.known.append(cls)\n",
            "plugins.py": "from base import Plugin\nclass One(Plugin):\n    VALUE = 1\n",
            "train.py": "import plugins\nfrom base import Plugin\n\n\ndef fit():\n    return Plugin.known\n",
        },
    ),
    "a module that is imported for what it does": Edit(
        "setup_all.py",
        "3",
        "4",
        {"setup_all.py": "import random\nrandom.seed(3)\n", "train.py": "import setup_all\ndef fit():\n    return 1\n"},
    ),
    "what a function does to a global": Edit(
        "train.py",
        "X = 5",
        "X = 6",
        {"train.py": "X = 1\ndef change():\n    global X\n    X = 5\ndef fit():\n    change()\n    return X\n"},
    ),
    "a name shared with the module it comes from": Edit(
        "tools/count.py",
        "return 1",
        "return 2",
        {
            "tools/__init__.py": "from .count import count\n",
            "tools/count.py": "def count():\n    return 1\n",
            "train.py": "from tools import count\ndef fit():\n    return count()\n",
        },
    ),
    "a module named in its package": Edit(
        "tools/inner.py",
        "return 1",
        "return 2",
        {
            "tools/__init__.py": "from . import inner\n",
            "tools/inner.py": "def count():\n    return 1\n",
            "train.py": "import tools\ndef fit():\n    return tools.inner.count()\n",
        },
    ),
    "a dotted import": Edit(
        "shared/maths.py",
        "left * right",
        "1",
        {"train.py": "import shared.maths\ndef fit():\n    return shared.maths.times(1, 2)\n"},
    ),
    "a name in a comprehension": Edit(
        "alone.py", "1", "2", {"train.py": "import alone\ndef fit(r):\n    return [x * alone.VALUE for x in r]\n"}
    ),
    "a name in a lambda": Edit(
        "alone.py", "1", "2", {"train.py": "from alone import VALUE\ndef fit(r):\n    return map(lambda x: x * VALUE, r)\n"}
    ),
    "a name in a class body that hides it": Edit(
        "alone.py",
        "1",
        "2",
        {"train.py": "from alone import VALUE\nclass A:\n    VALUE = VALUE\ndef fit():\n    return A.VALUE\n"},
    ),
    "a function kept by a partial": Edit(
        "alone.py",
        "return 1",
        "return 2",
        {
            "alone.py": "def f(x):\n    return 1\n",
            "train.py": "from functools import partial\nimport alone\nfit = partial(alone.f, 1)\n",
        },
    ),
}

WIDENED = {
    "an import in a class body": Edit(
        "alone.py", "1", "2", {"train.py": "class A:\n    import alone\ndef fit():\n    return A.alone.VALUE\n"}
    ),
    "an import into a global": Edit(
        "alone.py",
        "1",
        "2",
        {"train.py": "def load():\n    global alone\n    import alone\ndef fit():\n    load()\n    return alone.VALUE\n"},
    ),
    "a star import": Edit(
        "alone.py",
        "VALUE = 1",
        "VALUE = 2",
        {"train.py": "from alone import *\ndef fit():\n    return VALUE\n", "alone.py": "VALUE = 1\nW = 1\n"},
    ),
    "getattr on a module": Edit(
        "alone.py", "1", "2", {"train.py": "import alone\ndef fit(n):\n    return getattr(alone, n)\n"}
    ),
    "a module kept in a variable": Edit(
        "alone.py", "1", "2", {"train.py": "import alone as a\nb = a\ndef fit(n):\n    return b.VALUE\n"}
    ),
    "an import by a literal": Edit(
        "alone.py", "1", "2", {"train.py": "import importlib\ndef fit():\n    return importlib.import_module('alone').VALUE\n"}
    ),
    "an import by a variable": Edit(
        "alone.py",
        "1",
        "2",
        {"train.py": "from importlib import import_module\ndef fit(n):\n    return import_module(n).VALUE\n"},
    ),
    "__import__": Edit("alone.py", "1", "2", {"train.py": "def fit(n):\n    return __import__(n).VALUE\n"}),
    "eval": Edit("alone.py", "1", "2", {"train.py": "import alone\ndef fit(n):\n    return eval(n)\n"}),
    "exec": Edit("alone.py", "1", "2", {"train.py": "def fit(n):\n    exec(n)\n"}),
    "globals": Edit(
        "train.py", "return 1", "return 2", {"train.py": "def one():\n    return 1\ndef fit(n):\n    return globals()[n]()\n"}
    ),
    "loaded modules by name": Edit(
        "alone.py", "1", "2", {"train.py": "import sys\ndef fit(n):\n    return sys.modules[n].VALUE\n"}
    ),
    "a module's own __getattr__": Edit(
        "alone.py",
        "1",
        "2",
        {
            "alone.py": "def __getattr__(n):\n    return X\nX = 1\n",
            "train.py": "import alone\ndef fit():\n    return alone.anything\n",
        },
    ),
    "all subclasses": Edit(
        "other.py",
        "1",
        "2",
        {
            "other.py": "from train import A\nclass B(A):\n    x = 1\n",
            "train.py": "class A: pass\ndef fit():\n    return A.__subclasses__()\n",
        },
    ),
    "a changed import path": Edit(
        "lib/hidden.py",
        "1",
        "2",
        {
            "lib/hidden.py": "V = 1\n",
            "train.py": "import sys\nsys.path.append('lib')\nimport hidden\ndef fit():\n    return hidden.V\n",
        },
    ),
}


def before_and_after(root: Path, edit: Edit) -> tuple[str, str, tuple[str, ...]]:
    write(root, {**BASE, **edit.given})
    before = closure(fit(root))
    path = root / edit.file
    text = path.read_text()
    assert edit.old in text, "the edit finds its place"
    path.write_text(text.replace(edit.old, edit.new, 1))
    after = closure(fit(root))
    return before.digest, after.digest, before.widened


@pytest.mark.parametrize("name", SAME)
def test_the_closure_stays_the_same_when_an_edit_changes(name: str, tmp_path: Path) -> None:
    before, after, widened = before_and_after(tmp_path, SAME[name])
    assert before == after
    assert widened == ()


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_closure_differs_when_an_edit_changes(name: str, tmp_path: Path) -> None:
    before, after, _ = before_and_after(tmp_path, DIFFERENT[name])
    assert before != after


@pytest.mark.parametrize("name", WIDENED)
def test_the_closure_widens_and_says_so_for(name: str, tmp_path: Path) -> None:
    before, after, widened = before_and_after(tmp_path, WIDENED[name])
    assert before != after
    assert widened


def test_the_base_project_reaches_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    found = closure(fit(write(tmp_path, BASE)))
    reached = {part for part in found.parts if not part.endswith(":<module>")}
    assert {"train.py:fit", "train.py:Base", "train.py:DEPTH", "shared/maths.py:times", "features/scale.py:other"} <= reached
    assert not {
        part for part in reached if part.startswith("alone.py") or part.endswith((":UNUSED", ":minus", ":OTHER", ":unrelated"))
    }
    assert found.third_party == {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    assert found.widened == ()


def test_a_third_party_module_is_its_distribution_and_what_that_needs(tmp_path: Path) -> None:
    text = "from sklearn.linear_model import Ridge\nimport orjson\ndef fit():\n    return Ridge()\ndef f():\n    orjson\n"
    found = closure(fit(write(tmp_path, {"train.py": text}))).third_party
    assert {"scikit-learn", "numpy", "scipy"} <= set(found)
    assert "orjson" not in found


def test_a_third_party_module_imported_for_its_effect_counts(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "def fit():\n    return 1\n"})
    before = closure(fit(tmp_path))
    write(tmp_path, {"train.py": "import orjson\ndef fit():\n    return 1\n"})
    assert closure(fit(tmp_path)).digest != before.digest


def test_a_file_of_the_project_hides_an_installed_module(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"numpy.py": "def zeros():\n    return 0\n", "train.py": "import numpy\ndef fit():\n    return numpy.zeros()\n"},
    )
    found = closure(fit(tmp_path))
    assert "numpy.py:zeros" in found.parts
    assert "numpy" not in found.third_party


def test_a_folder_of_scripts_does_not_hide_an_installed_module(tmp_path: Path) -> None:
    write(tmp_path, {"numpy/notes.py": "X = 1\n", "train.py": "import numpy\ndef fit():\n    return numpy.zeros(3)\n"})
    assert "numpy" in closure(fit(tmp_path)).third_party


def test_the_same_project_in_another_folder_has_the_same_closure(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", BASE), write(tmp_path / "two", BASE)
    assert closure(fit(one)) == closure(fit(two))


def test_functions_in_packages_and_oddly_named_files_are_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "models/__init__.py": "SCALE = 2\n",
            "models/own-train.py": "def fit():\n    return 1\n",
            "models/train.py": "from . import SCALE\ndef fit():\n    return SCALE\n",
        },
    )
    assert "models/own-train.py:fit" in closure(fit(tmp_path, file="models/own-train.py")).parts
    assert "models/__init__.py:SCALE" in closure(fit(tmp_path, file="models/train.py")).parts


def test_functions_that_call_each_other_have_closures_of_their_own(tmp_path: Path) -> None:
    text = "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)\n"
    write(tmp_path, {"train.py": text})
    even, odd = (closure(fit(tmp_path, name)) for name in ("even", "odd"))
    assert even.parts == odd.parts
    assert even.digest != odd.digest


def test_modules_that_import_each_other_come_to_an_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "train.py": "import other\nLIMIT = 3\ndef fit(n=1):\n    return other.step(n)\n",
            "other.py": "import train\ndef step(n):\n    return n if n > train.LIMIT else train.fit(n + 1)\n",
        },
    )
    assert {"train.py:LIMIT", "other.py:step"} <= set(closure(fit(tmp_path)).parts)


def test_a_chain_of_a_thousand_functions_is_walked(tmp_path: Path) -> None:
    chain = "".join(f"def f{i}():\n    return f{i + 1}()\n" for i in range(1000))
    write(tmp_path, {"train.py": f"{chain}def f1000():\n    return 0\ndef fit():\n    return f0()\n"})
    assert "train.py:f1000" in closure(fit(tmp_path)).parts


@pytest.mark.parametrize(
    ("file", "name", "error", "words"),
    [
        ("train.py", "fitt", NotFoundError, "'fit'"),
        ("trian.py", "fit", NotFoundError, "trian.py"),
        ("../train.py", "fit", UsageError, "below"),
        ("/etc/train.py", "fit", UsageError, "below"),
        ("broken.py", "fit", UsageError, "broken.py:2"),
        ("nul.py", "fit", UsageError, "nul.py"),
    ],
)
def test_what_cannot_be_found_or_parsed_is_named(
    tmp_path: Path, file: str, name: str, error: type[Exception], words: str
) -> None:
    write(tmp_path, {**BASE, "broken.py": "x = 1\ndef fit(:\n"})
    (tmp_path / "nul.py").write_bytes(b"x = 1\0\n")
    with pytest.raises(error, match=words):
        closure(fit(tmp_path, name, file))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("gnomon/training/steps.py", "prepare"),
        ("gnomon/training/steps.py", "fit_candidate"),
        ("gnomon/training/search/encoding.py", "encode"),
        ("gnomon/training/search/steps.py", "fit_whole"),
        ("gnomon/training/search/steps.py", "grow"),
        ("gnomon/evaluation/steps.py", "evaluate"),
    ],
)
def test_our_own_steps_need_no_widening(file: str, name: str) -> None:
    found = closure(FunctionRef(Path(gnomon.__file__).resolve().parent.parent, file, name))
    assert f"{file}:{name}" in found.parts
    assert found.widened == ()
    assert not [part for part in found.parts if not part.startswith("gnomon/")]


SOURCE_LINES = (
    "import math",
    "SIZE = 3",
    "TEXT = 'a # b'",
    "class Thing:",
    "    size: int = SIZE",
    "    def grow(self):",
    "        return [",
    "            self.size,",
    "            math.pi,",
    "        ]",
    "def fit(rows):",
    "    if rows:",
    "        thing = Thing()",
    "        return thing.grow(), TEXT",
    "    return None",
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(SOURCE_LINES)), st.sampled_from(["", "   ", "# remark", "        # rows: int = 5", "\t"])),
        max_size=8,
    )
)
def test_comments_and_blank_lines_anywhere_never_change_the_digest(insertions: list[tuple[int, str]]) -> None:
    lines = list(SOURCE_LINES)
    for place, line in sorted(insertions, reverse=True):
        lines.insert(place, line)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        plain = closure(fit(write(root / "plain", {"train.py": "\n".join(SOURCE_LINES) + "\n"})))
        edited = closure(fit(write(root / "edited", {"train.py": "\n".join(lines) + "\n"})))
    assert plain.digest == edited.digest


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([node for node in ast.walk(ast.parse("\n".join(SOURCE_LINES))) if isinstance(node, ast.Constant)]))
def test_every_constant_that_the_function_reaches_changes_the_digest(constant: ast.Constant) -> None:
    changed = list(SOURCE_LINES)
    line = changed[constant.lineno - 1]
    replacement = "'other'" if isinstance(constant.value, str) else "77"
    changed[constant.lineno - 1] = line[: constant.col_offset] + replacement + line[constant.end_col_offset :]
    with TemporaryDirectory() as folder:
        root = Path(folder)
        plain = closure(fit(write(root / "plain", {"train.py": "\n".join(SOURCE_LINES) + "\n"})))
        edited = closure(fit(write(root / "edited", {"train.py": "\n".join(changed) + "\n"})))
    assert plain.digest != edited.digest
