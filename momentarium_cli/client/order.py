"""In which order photos are uploaded. Light to import: commands are offered these before they run."""

from enum import StrEnum


class Order(StrEnum):
    """By capture time, or by size."""

    OLDEST = "oldest"
    NEWEST = "newest"
    SMALLEST = "smallest"
