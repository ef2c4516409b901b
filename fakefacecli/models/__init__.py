"""The networks that judge faces: cards, checkpoints, calibration, and how a face is fed.

It may be imported by every package above base; it knows nothing of images on disk or of reports.
"""
