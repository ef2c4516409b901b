"""Learning from labelled faces: the split, the audit, the loop, the checkpoint of the best epoch.

Only the command line imports it; it never imports evaluate.
"""
