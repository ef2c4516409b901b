"""What earlier runs judged, kept in an SQLite file, so that a nightly run judges only what is new.

It may be imported by scan and the command line.
"""
