"""Prints what a DataLoader of PyTorch returns from a run, as JSON: run by `test_torch`, since few have PyTorch."""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

import torch
from torch.utils.data import DataLoader

import beam_taxi


def plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value


def ids(batches: Any) -> list[int]:
    return [number for batch in batches for number in batch["id"].reshape(-1).tolist()]


def main(uri: str) -> None:
    run = beam_taxi.open_run(uri)
    binary = ["data"]
    found: dict[str, Any] = {"rows": [], "workers": {}, "ranks": {}}
    for split in run.splits:
        rows = list(run.torch(split, binary=binary))
        found["rows"] += [{name: plain(value) for name, value in row.items()} for row in rows]
    for workers in (0, 2, 5):
        dataset = run.torch("train", binary=binary, defaults={"maybe": -1, "maybe_text": "none"})
        found["workers"][workers] = ids(DataLoader(dataset, num_workers=workers, batch_size=None))
        batches = run.torch("train", 16, binary=binary, shuffle=30, seed=5)
        loader = DataLoader(batches, num_workers=workers, batch_size=None, persistent_workers=workers > 0)
        epochs = []
        for epoch in (0, 1, 0):
            batches.set_epoch(epoch)
            epochs.append(ids(loader))
        found[f"epochs {workers}"] = epochs
    for count in (2, 7):
        shares = [ids(run.torch("train", 16, binary=binary, shard=(index, count))) for index in range(count)]
        found["ranks"][count] = list(itertools.chain.from_iterable(shares))
    names = ["data", "text", "tags"]
    dataset = run.torch("train", 4, defaults={"maybe": -1, "maybe_text": "none"}, drop_remainder=True, binary=names)
    batch = next(iter(dataset))
    found["batch"] = {name: plain(value) for name, value in batch.items() if name not in names}
    found["shapes"] = {name: list(value.shape) for name, value in batch.items() if isinstance(value, torch.Tensor)}
    found["types"] = {name: str(value.dtype) for name, value in batch.items() if isinstance(value, torch.Tensor)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
