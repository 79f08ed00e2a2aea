"""The one exception a user's mistake raises."""


class PhysgtError(ValueError):
    """A mistake in a file, a field or an option, told in one line.

    The message names what is wrong, what was found, what was expected and what to do. The command
    line prints it without a traceback and exits with status 2.
    """


class DivergedError(PhysgtError):
    """A rollout whose state stopped being finite."""


def require_one_or_more(**counts: int) -> None:
    """Raise PhysgtError for a number below 1, by its name."""
    for name, count in counts.items():
        if count < 1:
            raise PhysgtError(f"{name} = {count}, expected 1 or more.")
