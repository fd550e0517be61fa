"""QStash for tests: a server on 127.0.0.1 that speaks its wire protocol, delivers, signs, and tries again.

`running_qstash()` starts one; the vendor's SDK publishes to it with `QStash(server.token, base_url=server.url)`. Its
clock stands still: a test moves it with `advance`, or delivers what is due with `deliver_now`; within `live()` it runs.
That clock is for waiting only. What others compare with their own, the times in a signature, Upstash-Not-Before and the
date of a Retry-After, is of the true clock. How long a destination may take is counted in true seconds too.

Documented by the vendor (upstash.com/docs/qstash and its openapi.yaml) or read in its SDK 3.4: the paths, the headers,
the answers' fields, the schedule of retries and what overrides it, 489, callbacks and their bodies, the ten minutes of
deduplication, flow control, redaction, the claims of a signature, the headers and errors of rate limits.
Seen by others with the real service, as their public code tells: the words of the errors for a bad token, a bad
destination, a colon in a deduplication id, and for more retries (a free plan has five) or bytes than the plan allows.
Assumed, for nothing tells: every attempt is signed anew; redirects are not followed, and so are failures; a destination
that does not answer counts as status 0; a quota is refused with 412; names in a redaction mean forwarded headers only.
Left out: queues, URL groups, logs, and limits of retention.
"""

from tests.qstash.courier import Delivery
from tests.qstash.mishaps import Chances
from tests.qstash.server import QStashServer, running_qstash

__all__ = ["Chances", "Delivery", "QStashServer", "running_qstash"]
