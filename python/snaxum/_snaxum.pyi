import os

# An interpreter: its file, its version, its prefix.
Host = tuple[str, str, str]

class HostedProject:
    def close(self) -> None:
        """Stop the threads of the project; call it once, before the interpreter ends."""

def load(host: Host, directory: str | os.PathLike[str]) -> HostedProject:
    """Load a project for the tests or the server of this process. Raises RuntimeError."""

def run(
    host: Host,
    program: list[str],
    files: list[str],
    arguments: list[str],
    handover: str | None,
) -> None:
    """Run the command line in this process, and end it with its exit code."""
