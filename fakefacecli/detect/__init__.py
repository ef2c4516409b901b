"""Finding faces in pixels: the MTCNN cascade, its three networks, the pyramid and the boxes.

It may be imported by scan and whatever lies above it; it knows nothing of files or reports.
"""
