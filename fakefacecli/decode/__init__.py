"""From an untrusted file to upright RGB pixels, or to the reason why not, in processes of its own.

It may be imported by detect, state, scan and whatever lies above them.
"""
