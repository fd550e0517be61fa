"""What the backend can do, handed to the API as one value."""

from dataclasses import dataclass

from momentarium_cli.backend.arrivals import Arrivals
from momentarium_cli.backend.db.pool import Database
from momentarium_cli.backend.deliveries import Deliveries
from momentarium_cli.backend.galleries import Galleries
from momentarium_cli.backend.images import Images
from momentarium_cli.backend.jobs import Jobs
from momentarium_cli.backend.storage.base import SignedFiles
from momentarium_cli.backend.uploads import Uploads
from momentarium_cli.backend.webhook import Proofs


@dataclass(frozen=True, slots=True)
class Services:
    """`files` is there where the store's signed requests come back to this server, `proofs` where a queue calls it."""

    database: Database
    uploads: Uploads
    jobs: Jobs
    galleries: Galleries
    images: Images
    arrivals: Arrivals
    deliveries: Deliveries
    proofs: Proofs | None
    files: SignedFiles | None
    organizer: str = "local"  # who makes the albums, as organizer.backend says
