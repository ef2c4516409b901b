"""The command line: flags to options, a run, an exit code."""
