"""A scan, from paths to faces, verdicts and reports; `pipeline` joins the parts `build` makes.

It may be imported by labelled, bench, train, evaluate, embed and the command line.
"""
