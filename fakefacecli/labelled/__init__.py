"""Labelled images, and their faces cut exactly as a scan cuts them.

It may be imported by train, evaluate, embed and the command line.
"""
