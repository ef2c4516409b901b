"""`python -m fakefacecli` is `fakeface`."""

from fakefacecli.cli.app import main

if __name__ == "__main__":
    main()
