"""The picture a reviewer opens: a face, its heatmap, and what was found; how such files are named.

It may be imported by state, scan and whatever lies above them.
"""
