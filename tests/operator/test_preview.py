from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.operator.preview import SentTree, preview
from gnomon.resources.compiled import ManifestFile
from gnomon.stores.repositories.interface import TreeEntry
from tests.operator.rig import FILES, Rig
from tests.operator.states import MODEL_YAML


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("preview"))
    rig.push(dict(FILES))
    rig.until(lambda: rig.serves(1))
    rig.person.pull()
    yield rig
    rig.close()


def sent(rig: Rig, **changes: str | None) -> SentTree:
    """The person's checkout as a client would send it, with files changed (or left out, where None)."""
    for line in rig.person.git("status", "--porcelain").splitlines():
        raise AssertionError(line)
    files: list[ManifestFile] = []
    tree: list[TreeEntry] = []
    for line in rig.person.git("ls-files", "-s").splitlines():
        about, path = line.split("\t")
        mode, blob, _ = about.split()
        content = (rig.person.path / path).read_bytes()
        change = changes.get(Path(path).stem, "")
        if change is None:
            continue
        if change:
            content, blob = change.encode(), f"{abs(hash(change)):040x}"
        tree.append(TreeEntry(path, mode, blob, len(content)))
        if path.endswith(".yaml"):
            files.append(ManifestFile(path, blob, content))
    return SentTree(files, tuple(tree))


def texts(rig: Rig, here: SentTree) -> list[str]:
    return [action["text"] for action in preview(rig.assembly.operator, here)["actions"]]


def test_a_clean_tree_leaves_nothing_to_do(rig: Rig) -> None:
    found = preview(rig.assembly.operator, sent(rig))
    assert (found["actions"], found["problems"], found["pruneRefused"]) == ([], [], "")


def test_a_changed_model_is_told_with_the_run_that_it_brings_and_nothing_is_changed(rig: Rig) -> None:
    before = (rig.assembly.records.resources(), len(rig.events()), rig.runs())
    changed = sent(rig, model=MODEL_YAML.replace("ridge", "linear"))
    assert texts(rig, changed) == ["update model/default/delay", "train model/default/delay: spec changed"]
    assert (rig.assembly.records.resources(), len(rig.events()), rig.runs()) == before


def test_changed_data_are_told_as_a_reading(rig: Rig) -> None:
    assert texts(rig, sent(rig, one="distance,hour,delay\n1,2,3\n")) == ["snapshot dataset/default/flights"]


def test_a_mistake_is_told_with_its_place(rig: Rig) -> None:
    found = preview(rig.assembly.operator, sent(rig, model=MODEL_YAML + "  metrik: rmse\n"))
    assert found["actions"] == []
    assert any("model.yaml" in problem and "metrik" in problem for problem in found["problems"])


def test_a_folder_without_anything_would_prune_nothing(rig: Rig) -> None:
    found = preview(rig.assembly.operator, SentTree((), ()))
    assert "every resource left the repository" in found["pruneRefused"]
    pruned = [action["resource"] for action in found["actions"] if action["action"] == "Prune"]
    assert pruned == ["release/default/delay"]
