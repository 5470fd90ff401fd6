"""`python -m szem` is the command line."""

from szem.cli import main

if __name__ == "__main__":
    main()
