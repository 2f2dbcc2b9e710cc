def run(executable: str, version: str, program: list[str], arguments: list[str]) -> None:
    """Run the command line in this process, and end it with its exit code."""
