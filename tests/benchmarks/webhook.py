"""How many requests of the queue are verified in a second, on one core.

    python -m tests.benchmarks.webhook [--rounds 5]

Two signing keys and two secrets are set, as in a rotation, and the request is signed with the second of each. Beside it
PyJWT, which decodes and verifies the token alone.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import jwt

from momentarium_cli.backend.webhook import Proofs
from tests.backend.forgeries import BODY, CURRENT_KEY, NEXT_KEY, NOW, OTHER_SECRET, PUBLIC_URL, SECRET, Signer

GOAL = 10_000
SECONDS = 0.5


def per_second(work: Callable[[], object]) -> float:
    done, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < SECONDS:
        for _ in range(100):
            work()
        done += 100
    return done / took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    proofs = Proofs(PUBLIC_URL, [OTHER_SECRET, SECRET], [CURRENT_KEY, NEXT_KEY])
    signer = Signer(key=NEXT_KEY)
    sent, token = signer.sent(), signer.token()
    checks = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}

    def alone() -> object:
        return jwt.decode(token, NEXT_KEY, algorithms=["HS256"], issuer="Upstash", options=checks)  # type: ignore[arg-type]  # a plain dict will do

    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(per_second(lambda: proofs.check(sent.path, sent.raw_headers, BODY, NOW)))
        theirs.append(per_second(alone))
    print(
        f"verified in a second: {statistics.median(ours):,.0f} (goal {GOAL:,}); by PyJWT, the token alone:"
        f" {statistics.median(theirs):,.0f}"
    )


if __name__ == "__main__":
    main()
