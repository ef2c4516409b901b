"""`python -m fakefacecli` is `fakeface`."""

import os

_LAST_WORDS = b"fakeface: stopped by SIGINT\n"

try:
    import signal
except KeyboardInterrupt:  # it imports more, and before it nothing can be said about SIGINT
    os.write(2, _LAST_WORDS)
    os._exit(130)


def _end_at_once(number: int, frame: object) -> None:
    # no KeyboardInterrupt: in the middle of an import it would be a traceback, and typer would end
    # with 1. Not print: the signal may have come in the middle of another one
    try:
        os.write(2, _LAST_WORDS)
    finally:
        os._exit(128 + number)


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it in one line."""
    # a shell lets what it starts with & ignore SIGINT: that stays
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_at_once)
    try:
        from fakefacecli.base.garbage import collected_later, never_collected

        with collected_later():
            from fakefacecli.cli import app
    except Exception as error:
        # a library that finds no memory says so in many ways
        from fakefacecli.base.surroundings import fault_of_surroundings

        fault = fault_of_surroundings(error)
        if fault is None:
            raise
        os.write(2, f"fakeface: {fault}\n".encode())
        raise SystemExit(int(fault.exit_code)) from None
    try:
        app.main()
    finally:
        never_collected()


if __name__ == "__main__":
    main()
