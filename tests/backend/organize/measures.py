"""How near albums come to those that people made. Each measure takes the label of every photo, ours and theirs."""

from collections import Counter
from collections.abc import Hashable, Sequence
from math import log

Labels = Sequence[Hashable]


def b_cubed_f1(ours: Labels, theirs: Labels) -> float:
    """Of the album-mates that a photo has in one, the share it has in the other too; both ways, mean over photos.

    Bagga and Baldwin 1998; F1 of the mean precision and the mean recall, as in Amigó et al. 2009.
    """
    mates, mine, true = _counts(ours, theirs)
    precision = sum(count**2 / mine[our] for (our, _), count in mates.items()) / len(ours)
    recall = sum(count**2 / true[their] for (_, their), count in mates.items()) / len(ours)
    return 2 * precision * recall / (precision + recall)


def nmi(ours: Labels, theirs: Labels) -> float:
    """Mutual information over the mean of the entropies; 1 where both have a single album."""
    mates, mine, true = _counts(ours, theirs)
    n = len(ours)
    shared = sum(count / n * log(count * n / (mine[our] * true[their])) for (our, their), count in mates.items())
    entropy = (_entropy(mine) + _entropy(true)) / 2
    return shared / entropy if entropy else 1.0


def boundary_f1(ours: Labels, theirs: Labels) -> float:
    """Of the places between photos in capture order where the album changes; 1 where neither changes it."""
    cuts, true = _boundaries(ours), _boundaries(theirs)
    return 2 * len(cuts & true) / (len(cuts) + len(true)) if cuts or true else 1.0


def found(ours: Labels, theirs: Labels, overlap: float) -> float:
    """The share of their albums with one of ours whose intersection over union is at least `overlap`."""
    mates, mine, true = _counts(ours, theirs)
    hit = {their for (our, their), count in mates.items() if count / (mine[our] + true[their] - count) >= overlap}
    return len(hit) / len(true)


def _counts(
    ours: Labels, theirs: Labels
) -> tuple[Counter[tuple[Hashable, Hashable]], Counter[Hashable], Counter[Hashable]]:
    return Counter(zip(ours, theirs, strict=True)), Counter(ours), Counter(theirs)


def _entropy(counts: Counter[Hashable]) -> float:
    n = counts.total()
    return -sum(count / n * log(count / n) for count in counts.values())


def _boundaries(labels: Labels) -> set[int]:
    return {index for index in range(1, len(labels)) if labels[index] != labels[index - 1]}
