"""`python -m octshop_rt` is the command line."""

from octshop_rt.cli import main

if __name__ == "__main__":
    main()
