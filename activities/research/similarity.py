"""Similarity: BM25 weights, overlap of term sets, selection without redundancy."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

BM25_K1 = 1.2
BM25_B = 0.75
"""Usual constants (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009)."""


class Bm25:
    """BM25 over a small collection of texts that are given as lists of terms."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        self._counts = [Counter(document) for document in documents]
        self._lengths = [len(document) for document in documents]
        self._mean = (sum(self._lengths) / len(documents) or 1.0) if documents else 1.0
        self._found_in = Counter(term for counts in self._counts for term in counts)

    def idf(self, term: str) -> float:
        """Return the inverse document frequency of a term; never negative."""
        found = self._found_in[term]
        return math.log(1 + (len(self._counts) - found + 0.5) / (found + 0.5))

    def score(self, query: Mapping[str, float], index: int) -> float:
        """Return the weight of document `index` for a query of weighted terms."""
        counts, length = self._counts[index], self._lengths[index]
        norm = BM25_K1 * (1 - BM25_B + BM25_B * length / self._mean)
        return math.fsum(
            weight * self.idf(term) * counts[term] * (BM25_K1 + 1) / (counts[term] + norm)
            for term, weight in query.items()
            if counts[term]
        )


def overlap(left: Iterable[str], right: Iterable[str]) -> float:
    """Return the Jaccard coefficient of two sets of terms; 0 where both are empty."""
    ours, theirs = set(left), set(right)
    union = len(ours | theirs)
    return len(ours & theirs) / union if union else 0.0


def contained(left: Iterable[str], right: Iterable[str]) -> float:
    """Return the part of `left`'s terms that `right` has; 1 where `left` is empty."""
    ours, theirs = set(left), set(right)
    return len(ours & theirs) / len(ours) if ours else 1.0


def select_diverse(
    weights: Sequence[float], alike: Callable[[int, int], float], count: int, *, novelty: float = 0.35
) -> list[int]:
    """Choose up to `count` indices by maximal marginal relevance (Carbonell and Goldstein, 1998).

    Args:
        weights: how good each one is, 0..1; what is not above 0 is never chosen.
        alike: similarity of two, 0..1.
        count: how many at most.
        novelty: weight of being unlike what was chosen already.
    """
    left = [index for index, weight in enumerate(weights) if weight > 0]
    worst = dict.fromkeys(left, 0.0)
    chosen: list[int] = []
    while left and len(chosen) < count:
        best = max(left, key=lambda index: ((1 - novelty) * weights[index] - novelty * worst[index], -index))
        left.remove(best)
        chosen.append(best)
        for index in left:
            worst[index] = max(worst[index], alike(best, index))
        left = [index for index in left if worst[index] < 0.8]
    return chosen


class Groups:
    """Union-find over 0..n-1."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, index: int) -> int:
        """Return the smallest member of the group of `index`."""
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, left: int, right: int) -> None:
        """Put two members into one group."""
        low, high = sorted((self.root(left), self.root(right)))
        self._parent[high] = low

    def members(self) -> list[list[int]]:
        """Return the groups of two or more, in order."""
        groups: dict[int, list[int]] = {}
        for index in range(len(self._parent)):
            groups.setdefault(self.root(index), []).append(index)
        return [members for members in groups.values() if len(members) > 1]
