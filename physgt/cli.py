"""The command line: `physgt COMMAND`, see physgt.commands."""

from __future__ import annotations

import sys
import warnings

from cyclopts import CycloptsError

# Importing a module registers its commands.
from physgt.commands import coupling, data, exports, judging, learning, pretrained, rollouts  # noqa: F401
from physgt.commands.apps import app
from physgt.errors import PhysgtError


def main(arguments: list[str] | None = None) -> None:
    """Run `physgt ARGUMENTS`, by default those of the process.

    A user's mistake is one line on standard error and exit status 2; a warning is one line.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            app(
                sys.argv[1:] if arguments is None else arguments,
                exit_on_error=False,
                print_error=False,
            )
    except CycloptsError as error:
        print(f"physgt: {_one_line(error)} See physgt COMMAND --help.", file=sys.stderr)
        sys.exit(2)
    except (PhysgtError, OSError) as error:
        print(f"physgt: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("physgt: interrupted", file=sys.stderr)
        sys.exit(130)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"physgt: {_one_line(message)}", file=sys.stderr)


def _one_line(error: Exception | str) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    main()
