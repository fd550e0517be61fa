"""What Momentarium writes for other programs: units, property lists and lines that run it."""
