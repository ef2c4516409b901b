"""A run, from paths to faces to verdicts to reports; `pipeline` joins the parts `build` makes.

It may be imported by labelled, bench, train, evaluate, embed and the command line.
"""
