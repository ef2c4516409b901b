"""What every other package rests on: records, verdicts, options, errors, files, locks.

It imports no other package of fakeface, and nothing heavier than numpy when it is imported.
"""
