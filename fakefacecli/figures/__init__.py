"""Measures of probabilities against labels, and the plots and pages that show them.

It may be imported by train, evaluate, embed and the command line; it reads no images.
"""
