from datetime import UTC, datetime, timedelta

import pytest

from gnomon.serving.ids import PredictionIds, mark_of, read_prediction_id

DIGEST = "sha256:" + "abcdef0123456789" * 4


def test_an_id_tells_when_it_was_minted_and_how_the_digest_of_the_artifact_begins() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    told = read_prediction_id(PredictionIds().mint(mark_of(DIGEST)))
    assert told is not None
    assert told.digest_prefix == "abcdef"
    assert before <= told.at <= datetime.now(UTC)


def test_ids_of_one_moment_differ_in_all_that_is_left_to_chance() -> None:
    ids = PredictionIds()
    minted = [ids.mint(mark_of(DIGEST)) for _ in range(5000)]
    assert len(set(minted)) == len(minted)
    # Every digit that carries chance takes every value: 12 whole ones, and the one beside the variant.
    for place in range(24, 36):
        assert {each[place] for each in minted} == set("0123456789abcdef")
    assert {each[19] for each in minted} == set("89ab")


@pytest.mark.parametrize("text", ["", "mine", "019aabcd-0123-4abc-89ab-0123456789ab", "019aabcd-0123-7abc-19ab-0123456789ab"])
def test_what_the_gateway_cannot_have_minted_tells_nothing(text: str) -> None:
    assert read_prediction_id(text) is None
