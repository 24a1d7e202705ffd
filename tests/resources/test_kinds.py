import pytest

from gnomon.errors import UsageError
from gnomon.resources.kinds import KINDS, canonical_kind


@pytest.mark.parametrize("text", ["Model", "model", "models", "MODELS", "Models"])
def test_a_kind_is_found_in_any_spelling(text: str) -> None:
    assert canonical_kind(text) == "Model"


@pytest.mark.parametrize("text", ["modle", "", "modelss", "gadget"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        canonical_kind(text)
    assert caught.value.mend


def test_kinds_refer_to_earlier_ones_only() -> None:
    assert list(KINDS) == ["Project", "Dataset", "Pipeline", "Model", "Service", "Release"]
