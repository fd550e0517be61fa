"""Claiming under contention: few users, many claimers, and workers that vanish in the middle."""

import random
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from uuid import UUID

import pytest
from uuid6 import uuid7

from momentarium_cli.backend.db import jobs as rows
from momentarium_cli.backend.db.jobs import Job
from tests.backend.bench import Bench

LEASE = timedelta(milliseconds=150)
CLAIMERS = 8


@dataclass
class Record:
    """What the claimers saw. A holder counts until it lets go, or until its lease has lapsed."""

    until: dict[int, float] = field(default_factory=dict)
    finished: dict[int, list[UUID]] = field(default_factory=lambda: defaultdict(list))
    overlaps: int = 0
    crashes: int = 0
    lock: Lock = field(default_factory=Lock)

    def begin(self, job: Job, before: float) -> None:
        with self.lock:
            self.overlaps += self.until.get(job.user_id, 0) > time.monotonic()
            self.until[job.user_id] = before + LEASE.total_seconds()  # the lease began after `before`

    def end(self, job: Job) -> None:
        with self.lock:
            self.until[job.user_id] = 0
            self.finished[job.user_id].append(job.idempotency_key)


def add_jobs(bench: Bench, users: list[int], count: int) -> dict[int, list[UUID]]:
    """Jobs without photos, in an order of their own."""
    keys: dict[int, list[UUID]] = {user: [uuid7() for _ in range(count)] for user in users}
    chance = random.Random(1)
    with bench.database.administration() as conn:
        shuffled = [(user, key) for user in users for key in keys[user]]
        chance.shuffle(shuffled)
        conn.cursor().executemany(
            "insert into processing_jobs (user_id, import_id, image_keys, idempotency_key, request_sha256)"
            " values (%s, gen_random_uuid(), '{x}', %s, '')",
            shuffled,
        )
    return keys


def claimer(bench: Bench, number: int, any_job: list[UUID], record: Record, crash: float, deadline: float) -> None:
    chance = random.Random(number)
    while time.monotonic() < deadline:
        before = time.monotonic()
        with bench.database.transaction(None) as conn:
            job = rows.claim(conn, chance.choice(any_job), LEASE)
        if job is None:
            with bench.database.transaction(None) as conn:
                if rows.open_count(conn) == 0:
                    return
            continue
        record.begin(job, before)
        if chance.random() < crash:
            record.crashes += 1
            continue
        with bench.database.transaction(job.user_id) as conn:
            if rows.complete(conn, job, "test", {}):
                record.end(job)  # before the commit: nobody can have the user's next job yet


def run(bench: Bench, *, users: int, jobs: int, crash: float, seconds: float) -> None:
    ids = [bench.user() for _ in range(users)]
    expected = add_jobs(bench, ids, jobs)
    any_job = [row["id"] for row in bench.run("select id from processing_jobs")]
    record, deadline = Record(), time.monotonic() + seconds
    with ThreadPoolExecutor(CLAIMERS) as pool:
        futures = [pool.submit(claimer, bench, number, any_job, record, crash, deadline) for number in range(CLAIMERS)]
        for future in futures:
            future.result()
    assert record.overlaps == 0
    assert dict(record.finished) == expected, "all of them, once, in order"
    assert record.crashes > 0
    assert bench.run("select distinct status from processing_jobs") == [{"status": "completed"}]


def test_few_users_and_many_claimers_go_in_order_and_never_two_at_once(bench: Bench) -> None:
    run(bench, users=3, jobs=100, crash=0.03, seconds=30)


@pytest.mark.long
@pytest.mark.parametrize("users", [1, 3, 20])
def test_many_jobs_go_in_order_and_never_two_at_once(bench: Bench, users: int) -> None:
    run(bench, users=users, jobs=3000 // users, crash=0.02, seconds=100)
