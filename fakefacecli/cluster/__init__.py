"""A scan on a Ray cluster: refs go out to its workers, reports without pixels come back.

Each worker runs the stages of `scan` itself, so rows are those of a scan on one machine.
"""
