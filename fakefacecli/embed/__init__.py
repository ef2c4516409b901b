"""Maps of faces by what a network sees in them.

Only the command line imports it.
"""
