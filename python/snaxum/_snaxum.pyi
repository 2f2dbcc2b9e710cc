import os

class TestedProject:
    def close(self) -> None:
        """Stop the threads of the project; call it once, before the interpreter ends."""

def load(executable: str, version: str, directory: str | os.PathLike[str]) -> TestedProject:
    """Load a project for the tests that this process runs. Raises RuntimeError."""

def run(executable: str, version: str, program: list[str], arguments: list[str]) -> None:
    """Run the command line in this process, and end it with its exit code."""
