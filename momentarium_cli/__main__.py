"""python -m momentarium_cli, and the command `momentarium`."""

import sys


def main() -> None:
    from momentarium_cli.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
