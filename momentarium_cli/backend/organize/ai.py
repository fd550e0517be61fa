"""The local organizer, and a model that looks at contact sheets of its events: for titles, descriptions and covers.

Which photo is in which album is decided locally alone, so whatever the model answers, every photo is in its album.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from momentarium_cli.backend.organize.asking import Asking, Connect, Policy
from momentarium_cli.backend.organize.base import ExistingAlbum, Home, Organizer, Photo, Proposal
from momentarium_cli.backend.organize.clocks import corrected
from momentarium_cli.backend.organize.languages import WORDS
from momentarium_cli.backend.organize.model import Memory
from momentarium_cli.backend.organize.order import by_time
from momentarium_cli.backend.organize.questions import Subject
from momentarium_cli.backend.organize.sheets import Sheets
from momentarium_cli.backend.organize.titles import named_title
from momentarium_cli.models import AlbumKind, AlbumLevel


class AIOrganizer:
    """For one job of one user. `vendor` is what it is called where the model had a part in the albums.

    Asked about are events whose title the owner did not choose; never screenshots, undated and everyday photos.
    """

    def __init__(
        self,
        vendor: str,
        local: Organizer,
        connect: Connect,
        sheets: Sheets,
        memory: Memory,
        policy: Policy,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._vendor = vendor
        self._local = local
        self._connect = connect
        self._sheets = sheets
        self._memory = memory
        self._policy = policy
        self._check = check
        self._runs: list[Asking] = []  # a library that changes meanwhile makes them several
        self._events = 0

    @property
    def name(self) -> str:
        return self._vendor if self._runs and self._runs[-1].decisions else self._local.name

    @property
    def report(self) -> Mapping[str, Any]:
        """Costs are dollars; `reason` says why events have their local titles, None where all went well."""
        if not self._runs:
            return {}
        left = self._runs[-1].left
        reasons = "; ".join(
            f"{reason} ({count})" if len(left) > 1 else reason for reason, count in sorted(left.items())
        )
        total = left.total()
        return {
            "reason": f"{total} of {self._events} events have local titles: {reasons}." if total else None,
            "models": sorted({name for run in self._runs for name in run.answered_by}),
            "requests": sum(run.requests for run in self._runs),
            "input_tokens": sum(run.usage.input_tokens for run in self._runs),
            "output_tokens": sum(run.usage.output_tokens for run in self._runs),
            "expected_cost": round(sum(run.expected_cost for run in self._runs), 6),
            "cost": round(sum(run.cost for run in self._runs), 6),
        }

    def organize(
        self,
        photos: Sequence[Photo],
        existing: Sequence[ExistingAlbum],
        homes: Sequence[Home] = (),
        level: AlbumLevel = AlbumLevel.ALBUMS,
    ) -> Sequence[Proposal]:
        """As the local organizer does, with titles, descriptions and covers by what the photos show."""
        proposals = list(self._local.organize(photos, existing, homes, level))
        subjects = [subject for subject in self._subjects(proposals, photos, existing) if subject.shown]
        if not subjects:
            return proposals
        self._events = len(subjects)
        run = Asking(self._connect, self._sheets, self._memory, self._policy)
        self._runs.append(run)
        run.run(subjects, self._check)
        return self._improved(proposals, subjects, run.decisions)

    def _subjects(
        self, proposals: Sequence[Proposal], photos: Sequence[Photo], existing: Sequence[ExistingAlbum]
    ) -> list[Subject]:
        given, albums = {photo.id: photo for photo in photos}, {album.id: album for album in existing}
        subjects: list[Subject] = []
        for proposal in proposals:
            album = albums.get(proposal.album_id or 0)
            if proposal.kind is AlbumKind.EVENT and not (album and album.edited):
                subjects.append(
                    Subject.of(len(subjects) + 1, proposal, _whole(proposal, given, album), self._policy.sharing)
                )
        return subjects

    def _improved(
        self, proposals: Sequence[Proposal], subjects: Sequence[Subject], decisions: Mapping[int, Mapping[str, Any]]
    ) -> list[Proposal]:
        """A title that the model gave to several events says nothing of any: a picture may have told it to."""
        given = Counter(str(decision["title"]).casefold() for decision in decisions.values())
        taken = {proposal.title for proposal in proposals}
        changed: dict[int, Proposal] = {}
        for subject in subjects:
            decision = decisions.get(subject.number)
            if decision is None:
                continue
            improved = _with_looks(subject, decision)
            if decision["title"] and given[decision["title"].casefold()] == 1:
                improved = self._titled(improved, subject, decision["title"], taken)
            changed[id(subject.proposal)] = improved
        return [changed.get(id(proposal), proposal) for proposal in proposals]

    def _titled(self, proposal: Proposal, subject: Subject, name: str, taken: set[str]) -> Proposal:
        """With its place and date, unless that is the title of another."""
        times = [photo.taken_at for photo in subject.photos if photo.taken_at]
        title = named_title(name, times, proposal.place, WORDS[self._policy.language])
        if title in taken:
            return proposal
        taken.add(title)
        return replace(proposal, title=title)


def _whole(proposal: Proposal, given: Mapping[int, Photo], album: ExistingAlbum | None) -> list[Photo]:
    """The photos of the album that the proposal makes, in their order, with the times that they were taken."""
    moved = [corrected(given[key], proposal.clock_shifts.get(key, timedelta())) for key in proposal.photo_ids]
    kept = [corrected(photo, photo.clock_shift) for photo in album.photos if photo.id not in given] if album else []
    return sorted([*kept, *moved], key=by_time)


def _with_looks(subject: Subject, decision: Mapping[str, Any]) -> Proposal:
    covers = {photo.thumb_key: photo.id for photo in subject.shown}
    return replace(
        subject.proposal,
        theme_description=decision["theme"] or subject.proposal.theme_description,
        cover_id=covers.get(decision["cover"], subject.proposal.cover_id),
    )
