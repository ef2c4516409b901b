"""What a run leaves in files: rows, their formats and schema, the counts, and the journal of a run.

It may be imported by scan and by all packages above that.
"""
