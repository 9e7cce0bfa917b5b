from __future__ import annotations

import pytest

from pytest_causal.policy.provenance import Layer, Source


@pytest.mark.parametrize(
    ("source", "words", "place"),
    [
        (Source(layer=Layer.CLI, name="--causal-set"), "cli --causal-set", "--causal-set"),
        (Source(layer=Layer.ENV, name="CAUSAL_POLICY"), "env CAUSAL_POLICY", "CAUSAL_POLICY"),
        (Source(layer=Layer.DEFAULT, file="causal.toml", line=7), "default", "causal.toml:7"),
        (Source(layer=Layer.PROFILE, name="steady_safe", file="p.json"), "profile steady_safe", "p.json"),
        (
            Source(
                layer=Layer.PROFILE, name="steady_safe", file="o.json", line=3, revision=3,
                note="promotion P-7, 2026-11-02",
            ),
            "profile steady_safe + override r3 (promotion P-7, 2026-11-02)",
            "o.json:3",
        ),
        (Source(layer=Layer.PROFILE, file="o.json", line=3, revision=1), "override r1", "o.json:3"),
    ],
)  # fmt: skip
def test_an_origin_says_in_words_and_as_a_place_where_a_value_came_from(
    source: Source, words: str, place: str
) -> None:
    assert str(source) == words
    assert source.place == place
