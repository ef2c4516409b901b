"""The command line: flags to options, a run, an exit code.

Nothing imports it but `python -m fakefacecli`; only here is anything printed.
"""
