"""Measuring a model on labelled faces, comparing two, and fitting calibration and thresholds.

embed and the command line import it; it never imports train.
"""
