"""The words by which messages are told apart where their structure does not say, in many languages."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from pathlib import Path

import ahocorasick_rs

from bouncekit.reply import fold

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["in_subject", "in_text"]


class _Vocabulary:
    """Looks for the words of every kind in one scan."""

    def __init__(self, words: Iterable[tuple[str, Iterable[str]]]) -> None:
        pairs = [(fold(word), kind) for kind, group in words for word in group]
        self._kinds = [kind for _, kind in pairs]
        self._automaton = ahocorasick_rs.AhoCorasick([word for word, _ in pairs])

    def found(self, text: str) -> set[str]:
        matches = self._automaton.find_matches_as_indexes(text, overlapping=True)
        return {self._kinds[index] for index, _, _ in matches}

    def beginning(self, text: str) -> set[str]:
        matches = self._automaton.find_matches_as_indexes(text, overlapping=True)
        return {self._kinds[index] for index, start, _ in matches if start == 0}


@functools.cache
def _vocabularies() -> tuple[_Vocabulary, _Vocabulary]:
    data = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
    subjects, texts = ([(kind, row[key]) for kind, row in data.items()] for key in ("subject", "text"))
    return _Vocabulary(subjects), _Vocabulary(texts)


_PREFIXES = ("re:", "fw:", "fwd:", "aw:", "wg:", "tr:", "sv:", "[spam]", "***spam***", "*****spam*****")


def in_subject(subject: str) -> set[str]:
    """Which kinds of message (failure, delay, auto_reply, challenge) a subject speaks of."""
    folded = fold(subject.replace("_", " "))
    while folded.startswith(_PREFIXES):
        folded = folded.partition("]" if folded.startswith("[") else ":")[2].strip() if not folded.startswith("*") else folded.lstrip("*spam").strip()
    return _vocabularies()[0].beginning(folded)


def in_text(text: str) -> set[str]:
    """Which kinds of message a text speaks of."""
    return _vocabularies()[1].found(fold(text))
