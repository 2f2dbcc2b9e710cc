"""The command `snaxum` of an installed package, and `python -m snaxum`.

Owns the entry point, and nothing else. Never parses an argument.
"""


def main() -> None:
    """Run the command line in this interpreter, and end the process."""
    from . import _command

    _command.run()


if __name__ == "__main__":
    main()
