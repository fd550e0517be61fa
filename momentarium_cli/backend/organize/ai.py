"""The local organizer, and a model that looks at its events: at contact sheets of each, closer where these say little,
and at all of them in words.

Whatever the model answers, every photo is in one album: it may only change what `reshaping` lets it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from momentarium_cli.backend.organize.asking import Asking, Connect
from momentarium_cli.backend.organize.base import ExistingAlbum, Home, Organizer, Photo, Proposal, Watch
from momentarium_cli.backend.organize.closer import LookingCloser, unclear
from momentarium_cli.backend.organize.grouping import Group
from momentarium_cli.backend.organize.languages import WORDS
from momentarium_cli.backend.organize.model import Memory
from momentarium_cli.backend.organize.naming import Naming
from momentarium_cli.backend.organize.questions import Subject
from momentarium_cli.backend.organize.relations import Relating, Relations, relations, windows
from momentarium_cli.backend.organize.reshaping import Looks, finished, journeys, merged, parted
from momentarium_cli.backend.organize.sheets import Sheets
from momentarium_cli.backend.organize.tasks import Policy
from momentarium_cli.backend.organize.titles import named_title
from momentarium_cli.models import AlbumKind, AlbumLevel


class Local(Organizer, Protocol):
    """An organizer that tells which photos go together before it titles them."""

    def groups(
        self,
        photos: Sequence[Photo],
        existing: Sequence[ExistingAlbum],
        homes: Sequence[Home] = (),
        level: AlbumLevel = AlbumLevel.ALBUMS,
    ) -> list[Group]: ...

    def propose(self, groups: Sequence[Group]) -> list[Proposal]:
        """One for each group."""


class AIOrganizer:
    """For one job of one user. `vendor` is what it is called where the model had a part in the albums.

    Asked about are events that their owner did not touch; never screenshots, undated and everyday photos.
    """

    def __init__(
        self,
        vendor: str,
        local: Local,
        connect: Connect,
        sheets: Sheets,
        memory: Memory,
        policy: Policy,
        watch: Watch,
    ) -> None:
        self._vendor = vendor
        self._local = local
        self._connect = connect
        self._sheets = sheets
        self._memory = memory
        self._policy = policy
        self._watch = watch
        self._runs: list[_Run] = []  # a library that changes meanwhile makes them several

    @property
    def name(self) -> str:
        return self._vendor if self._runs and self._runs[-1].seen else self._local.name

    @property
    def report(self) -> Mapping[str, Any]:
        """Costs are dollars; `reason` says what did not come of the model, None where all went well."""
        if not self._runs:
            return {}
        asked = [run.asking for run in self._runs]
        return {
            "reason": " ".join(self._runs[-1].reasons) or None,
            "models": sorted({name for asking in asked for name in asking.answered_by}),
            "requests": sum(asking.requests for asking in asked),
            "input_tokens": sum(asking.usage.input_tokens for asking in asked),
            "output_tokens": sum(asking.usage.output_tokens for asking in asked),
            "expected_cost": round(sum(asking.expected_cost for asking in asked), 6),
            "cost": round(sum(asking.cost for asking in asked), 6),
        }

    def organize(
        self,
        photos: Sequence[Photo],
        existing: Sequence[ExistingAlbum],
        homes: Sequence[Home] = (),
        level: AlbumLevel = AlbumLevel.ALBUMS,
    ) -> Sequence[Proposal]:
        """As the local organizer does, with what the model saw. Albums of another level are as their owner wants them:
        they only get titles."""
        groups = self._local.groups(photos, existing, homes, level)
        asking = Asking(self._connect, self._sheets, self._memory, self._policy, self._watch)
        run = _Run(self._local, asking, self._policy, photos, existing, groups)
        if not run.subjects:
            return run.proposals
        self._runs.append(run)
        with asking:
            run.name()
            if run.seen and level is AlbumLevel.ALBUMS:
                run.look_closer()
            if run.seen:
                run.compare(reshape=level is AlbumLevel.ALBUMS)
        return run.titled()


class _Run:
    """The groups as they become, what was seen of them, and what did not come of it."""

    def __init__(
        self,
        local: Local,
        asking: Asking,
        policy: Policy,
        photos: Sequence[Photo],
        existing: Sequence[ExistingAlbum],
        groups: Sequence[Group],
    ) -> None:
        self.asking = asking
        self.seen: dict[Group, Looks] = {}
        self.reasons: list[str] = []
        self._local, self._policy = local, policy
        self._photos, self._existing = photos, existing
        self._groups = list(groups)
        self._trips: dict[int, str] = {}
        self._read_groups()

    def _read_groups(self) -> None:
        self.proposals = self._local.propose(self._groups)
        asked = [
            (group, proposal)
            for group, proposal in zip(self._groups, self.proposals, strict=True)
            if group.kind is AlbumKind.EVENT and not (group.album and group.album.edited)
        ]
        subjects = [
            Subject.of(number, group, proposal, self._policy.sharing)
            for number, (group, proposal) in enumerate(asked, 1)
        ]
        self.subjects = [subject for subject in subjects if subject.shown]

    # --- what is asked -----------------------------------------------------------------------------------------

    def name(self) -> None:
        task = Naming(self._policy)
        self._named = self.asking.run(task, [task.item(subject) for subject in self.subjects])
        self.seen = {
            subject.group: Looks.of(self._named[subject.number])
            for subject in self.subjects
            if subject.number in self._named
        }
        self._note("events have local titles", len(self.subjects))

    def look_closer(self) -> None:
        task = LookingCloser(self._policy)
        items = unclear(self.subjects, self._named, task)
        decisions = self.asking.run(task, items)
        self._note("unclear events were not looked at closer", len(items))
        by_number = {subject.number: subject for subject in self.subjects}
        became: dict[Group, list[Group]] = {}
        strays: list[Photo] = []
        for item in items:
            if item.number in decisions:
                subject = by_number[item.number]
                looks, apart = parted(subject, decisions[item.number], item.shown)
                self.seen |= looks
                strays += apart
                became[subject.group] = list(looks) or [subject.group]
        self._reshape(became, strays)

    def compare(self, *, reshape: bool) -> None:
        task, names = Relating(self._policy), self._names()
        found = windows(self.subjects)
        items = [task.item(number, window, names, self._existing) for number, window in enumerate(found, 1)]
        decisions = self.asking.run(task, items)
        self._note("looks over all events did not come", len(items))
        said = relations(found, decisions)
        self._rename(said.renames)
        if reshape:
            self._merge(said)

    def _names(self) -> dict[int, str]:
        return {
            subject.number: looks.title
            for subject in self.subjects
            if (looks := self.seen.get(subject.group)) and looks.title
        }

    def _note(self, what: str, of: int) -> None:
        left = self.asking.left
        reasons = "; ".join(
            f"{reason} ({count})" if len(left) > 1 else reason for reason, count in sorted(left.items())
        )
        if left.total():
            self.reasons.append(f"{left.total()} of {of} {what}: {reasons}.")

    # --- what becomes of it ------------------------------------------------------------------------------------

    def _rename(self, renames: Mapping[int, str]) -> None:
        """Only titles that repeat: whatever was in a picture of one event must not name another."""
        repeated = self._repeated()
        for subject in self.subjects:
            looks = self.seen.get(subject.group)
            if looks and subject.number in renames and looks.title in repeated:
                self.seen[subject.group] = replace(looks, title=renames[subject.number])

    def _repeated(self) -> set[str]:
        titles = [looks.title for looks in self.seen.values() if looks.title]
        given = Counter(title.casefold() for title in titles)
        return {title for title in titles if given[title.casefold()] > 1}

    def _merge(self, said: Relations) -> None:
        joined = merged(self.subjects, said, self.seen, self._existing)
        self.seen |= {group: looks for group, looks in joined.values() if looks}
        groups = {subject.number: subject.group for subject in self.subjects}
        groups |= {number: group for number, (group, _) in joined.items()}
        became = {subject.group: [groups[subject.number]] for subject in self.subjects}
        next_trip = 1 + max((group.trip for group in self._groups if group.trip is not None), default=0)
        for number, journey in enumerate(journeys(self.subjects, said, groups), next_trip):
            if journey.title:
                self._trips[number if journey.trip is None else journey.trip] = journey.title
            if journey.trip is None:
                became |= self._into_trip(became, journey.groups, number)
        self._reshape(became, [])

    def _into_trip(
        self, became: Mapping[Group, list[Group]], members: Sequence[Group], trip: int
    ) -> dict[Group, list[Group]]:
        moved = {group: replace(group, trip=trip) for group in members}
        self.seen |= {moved[group]: self.seen[group] for group in members if group in self.seen}
        return {old: [moved.get(group, group) for group in new] for old, new in became.items()}

    def _reshape(self, became: Mapping[Group, Sequence[Group]], strays: Sequence[Photo]) -> None:
        """Put these in the place of the groups that they became of."""
        if not strays and all(list(new) == [old] for old, new in became.items()):
            return
        events = [group for group in self._groups if group.kind is AlbumKind.EVENT]
        wanted = dict.fromkeys(new for group in events for new in became.get(group, [group]))
        self._groups, as_they_are = finished(list(wanted), strays, self._groups, self._photos, self._existing)
        self.seen = {as_they_are[group]: looks for group, looks in self.seen.items() if group in as_they_are}
        self._read_groups()

    def titled(self) -> list[Proposal]:
        """A title that the model gave to several events says nothing of any: a picture may have told it to."""
        repeated = self._repeated()
        taken = {proposal.title for proposal in self.proposals}
        trips = self._trip_titles(taken)
        made: list[Proposal] = []
        for group, proposal in zip(self._groups, self.proposals, strict=True):
            looks = self.seen.get(group)
            improved = _with_looks(proposal, group, looks) if looks else proposal
            if looks and looks.title and looks.title not in repeated:
                improved = self._with_title(improved, group, looks.title, taken)
            if improved.trip and group.trip in trips:
                improved = replace(improved, trip=replace(improved.trip, title=trips[group.trip]))
            made.append(improved)
        return made

    def _with_title(self, proposal: Proposal, group: Group, name: str, taken: set[str]) -> Proposal:
        """With its place and date, unless that is the title of another."""
        title = self._dated(name, group.whole, proposal.place)
        if title in taken:
            return proposal
        taken.add(title)
        return replace(proposal, title=title)

    def _trip_titles(self, taken: set[str]) -> dict[int | None, str]:
        found: dict[int | None, str] = {}
        for trip, name in self._trips.items():
            photos = [photo for group in self._groups if group.trip == trip for photo in group.whole]
            title = self._dated(name, photos, None) if photos else ""
            if title and title not in taken:
                taken.add(title)
                found[trip] = title
        return found

    def _dated(self, name: str, photos: Sequence[Photo], place: str | None) -> str:
        times = [photo.taken_at for photo in photos if photo.taken_at]
        return named_title(name, times, place, WORDS[self._policy.language])


def _with_looks(proposal: Proposal, group: Group, looks: Looks) -> Proposal:
    covers = {photo.thumb_key: photo.id for photo in group.whole}
    return replace(
        proposal,
        theme_description=looks.theme or proposal.theme_description,
        cover_id=covers.get(looks.cover, proposal.cover_id) if looks.cover else proposal.cover_id,
    )
