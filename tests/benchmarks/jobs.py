"""How soon a job that was accepted is being worked on, with the queue that needs nothing else.

    python -m tests.benchmarks.jobs [--jobs 50]

One job after another, of one tiny photo each, on the program's own server. The time is the database's: from the
beginning of the transaction that accepts the job to the one that claims it.
"""

import argparse
import statistics
import time

import httpx

from momentarium_cli.models import JobStatus
from tests.acceptance.program import Program, program, wait_for
from tests.backend.api.calls import process, upload
from tests.servers import Account

GOAL_MILLISECONDS = 50


def started_after(account: Account, number: int) -> float:
    """Milliseconds."""
    accepted = process(account, *upload(account, f"photo {number} {time.time()}".encode())).json()
    status = wait_for(lambda: ended(account, accepted["job_id"]))
    return float((status.started_at - status.created_at).total_seconds() * 1000)


def ended(account: Account, job_id: str) -> JobStatus | None:
    status = JobStatus.model_validate(account.http.get(f"/api/jobs/{job_id}/status").raise_for_status().json())
    return status if status.status.ended else None


def measure(made: Program, jobs: int) -> list[float]:
    server = wait_for(lambda: made.server)
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as http:
        wait_for(lambda: http.get("/api/me").is_success)
        account = Account(0, server.token, http)
        started_after(account, 0)  # the first one also starts what it needs
        return [started_after(account, number) for number in range(1, jobs + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=50)
    options = parser.parse_args()
    with program(MOMENTARIUM_SERVER_PORT="0") as made, (made.folder / "log").open("wb") as log:
        child = made.start("serve", stdout=log, stderr=log)
        try:
            times = sorted(measure(made, options.jobs))
        finally:
            child.terminate()
            child.wait(30)
    print(
        f"{len(times)} jobs from accepted to started: median {statistics.median(times):.0f} ms"
        f" (goal {GOAL_MILLISECONDS} ms), 9 of 10 within {times[len(times) * 9 // 10]:.0f} ms"
    )


if __name__ == "__main__":
    main()
