"""`python -m fakefacecli` is `fakeface`."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it without a traceback."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from fakefacecli.cli import app

    signal.signal(signal.SIGINT, before)
    app.main()


if __name__ == "__main__":
    main()
