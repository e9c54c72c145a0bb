"""Read the Examples of a run where a model is trained: with TensorFlow, PyTorch or Arrow."""

from beam_taxi.readers.run import Run, open_run

__all__ = ["Run", "open_run"]
