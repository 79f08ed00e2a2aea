"""python -m physgt: the command line, where the scripts of the environment aren't on the path."""

from physgt.cli import main

if __name__ == "__main__":
    main()
