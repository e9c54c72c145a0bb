"""Measure false alarms of drift, and which faults it finds: `false_alarms.py [--pairs N] [--sizes N,M]`.

The statistics are TFDV's, with the options of this package. A false alarm is drift between two samples of one table.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.validation import WARNED
from beam_taxi.settings import StatisticsSettings
from beam_taxi.statistics.options import stats_options
from beam_taxi.validation.drift import FALSE_ALARMS, compare

Column = np.ndarray | pa.Array
Table = dict[str, Column]
Statistics = statistics_pb2.DatasetFeatureStatistics

OPTIONS = stats_options(StatisticsSettings())
POOL = 3_000_000
"""Number of rows of the table; every sample is drawn from them."""


def zipf(count: int) -> np.ndarray:
    """Return the shares of Zipf's law."""
    shares = 1 / np.arange(1, count + 1)
    return shares / shares.sum()


def population(rng: np.random.Generator, rows: int) -> Table:
    """Return one column of each distribution."""
    five, many = ([f"{word}-{i}" for i in range(count)] for word, count in (("kind", 5), ("place", 500)))
    lognormal = rng.lognormal(size=rows)
    return {
        "normal": rng.normal(10, 2, rows),
        "lognormal": lognormal,
        "pareto": rng.pareto(1.5, rows) + 1,
        "uniform": rng.random(rows),
        "zero_inflated": np.where(rng.random(rows) < 0.8, 0.0, rng.lognormal(size=rows)),
        "rarely_not_zero": np.where(rng.random(rows) < 0.995, 0.0, rng.lognormal(size=rows)),
        "small_int": rng.poisson(2, rows),
        "flag": (rng.random(rows) < 0.3).astype(np.int64),
        "rare_flag": (rng.random(rows) < 0.002).astype(np.int64),
        "cents": np.round(rng.lognormal(2, 0.6, rows), 2),
        "five": np.array(five, object)[rng.choice(5, rows, p=zipf(5))],
        "spellings": np.where(
            rng.random(rows) < 0.01, "Kind-0", np.array(five, object)[rng.choice(5, rows, p=zipf(5))]
        ),
        "five_hundred": np.array(many, object)[rng.choice(500, rows, p=zipf(500))],
        "id": np.array([f"id{i:x}" for i in rng.integers(0, 2**40, rows)], object),
        "repeated_id": np.array([f"taxi {i}" for i in (rng.pareto(1, rows) * 300).astype(np.int64)], object),
        "mostly_missing": pa.array(lognormal, mask=rng.random(rows) < 0.97),
        "missing_text": pa.array(np.array(five, object)[rng.choice(5, rows)], mask=rng.random(rows) < 0.9),
        "constant": np.full(rows, 7.5),
        "constant_text": np.full(rows, "USD", object),
    }


def take(table: Table, index: np.ndarray) -> Table:
    """Return rows of a table."""
    return {
        name: column.take(pa.array(index)) if isinstance(column, pa.Array) else column[index]
        for name, column in table.items()
    }


def lists(column: Column) -> pa.Array:
    """Return a column as TFDV expects it: a list of one value in each row, or null."""
    values = column if isinstance(column, pa.Array) else pa.array(column, from_pandas=False)
    valid = np.asarray(values.is_valid())
    offsets = np.concatenate([[0], np.cumsum(valid)]).astype(np.int32)
    present = values.filter(pa.array(valid))
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(~valid, False)), present)


def statistics(table: Table) -> Statistics:
    """Return TFDV's statistics of a table."""
    batch = pa.RecordBatch.from_arrays([lists(column) for column in table.values()], list(table))
    return generate_statistics_in_memory(batch, OPTIONS).datasets[0]


def alarms(now: Statistics, baseline: Statistics, rows: bool = False) -> list[tuple[str, str, str]]:
    """Return the feature, measure and text of each drift."""
    found = [one for one in compare(now, baseline, rows=rows) if one.outcome == WARNED]
    return [("".join(one.features), one.name, one.text) for one in found]


def false_alarms(table: Table, sizes: Sequence[tuple[int, int]], pairs: int, rng: np.random.Generator) -> None:
    """Print the share of comparisons with a false alarm for each pair of sizes.

    At most 60 samples of each size are drawn, fewer of large ones, and paired. The declared rate holds for each pair,
    so their dependence only widens the error of the share.
    """
    print(f"False alarms per comparison of {len(table)} columns; declared: {FALSE_ALARMS:.0%} at most")
    drawn = {size: draw(table, size, pairs, rng) for size in sorted({one for pair in sizes for one in pair})}
    for n, m in sizes:
        possible = [(a, b) for a, b in itertools.product(drawn[n], drawn[m]) if a is not b]
        chosen = rng.permutation(len(possible))[:pairs]
        found = [alarms(*possible[i]) for i in chosen]
        causes = Counter(f"{feature} {measure}" for one in found for feature, measure, _ in one)
        share = sum(map(bool, found)) / len(found)
        print(f"{n:>9,} against {m:>9,}: {share:7.2%} of {len(found):,} pairs {dict(causes) or ''}", flush=True)


def draw(table: Table, size: int, pairs: int, rng: np.random.Generator) -> list[Statistics]:
    """Return the statistics of samples of one size, as many as time allows."""
    count = min(60, 2 * math.isqrt(pairs), max(12, 6_000_000 // size))
    rows = len(table["normal"])
    return [statistics(take(table, rng.integers(0, rows, size))) for _ in range(count)]


Fault = Callable[[Table, np.random.Generator], Table]


def on(name: str, change: Callable[[np.ndarray, np.random.Generator], Column]) -> Fault:
    """Return a fault of one column."""
    return lambda table, rng: {**table, name: change(table[name], rng)}


def where(share: float, value: float | None) -> Callable[[np.ndarray, np.random.Generator], Column]:
    """Return a change that puts a value, or none, in a share of the rows."""

    def change(x: np.ndarray, rng: np.random.Generator) -> Column:
        hit = rng.random(len(x)) < share
        return pa.array(x, mask=hit) if value is None else np.where(hit, value, x)

    return change


def outliers(x: np.ndarray, rng: np.random.Generator) -> Column:
    """Multiply five values by 1,000."""
    changed = x.copy()
    changed[rng.choice(len(x), 5, replace=False)] *= 1000
    return changed


def renamed(x: np.ndarray, rng: np.random.Generator) -> Column:
    """Rename the third most frequent value of five."""
    return np.where(x == "kind-2", "sort-2", x)


FAULTS: dict[str, Fault] = {
    "column gone": lambda table, rng: {k: v for k, v in table.items() if k != "normal"},
    "column new": lambda table, rng: {**table, "new": table["uniform"]},
    "columns swapped": lambda table, rng: {**table, "normal": table["uniform"], "uniform": table["normal"]},
    "similar columns swapped": lambda table, rng: {**table, "cents": table["lognormal"], "lognormal": table["cents"]},
    "numbers became text": on("small_int", lambda x, rng: x.astype(str).astype(object)),
    "new value, 3%": on("five", lambda x, rng: np.where(rng.random(len(x)) < 0.03, "novel", x)),
    "renamed value": on("five", renamed),
    "re-cased values": on("five", lambda x, rng: np.array([v.upper() for v in x], object)),
    "one of 500 lost": on("five_hundred", lambda x, rng: np.where(x == "place-3", "place-4", x)),
    "ids longer": on("id", lambda x, rng: np.array([f"2026-{v}" for v in x], object)),
    "ids repeated": on("id", lambda x, rng: rng.choice(x[: max(1, len(x) // 3)], len(x))),
    "10% more missing": on("normal", where(0.1, None)),
    "50% more missing": on("five", where(0.5, None)),
    "other unit, x1.609": on("cents", lambda x, rng: np.round(x * 1.609, 2)),
    "shifted by 0.5 sd": on("normal", lambda x, rng: x + 1),
    "scaled by 1.5": on("lognormal", lambda x, rng: x * 1.5),
    "negated": on("normal", lambda x, rng: -x),
    "rounded to whole": on("cents", lambda x, rng: np.round(x)),
    "zeroed, 10%": on("normal", where(0.1, 0.0)),
    "constant": on("lognormal", lambda x, rng: np.full(len(x), np.median(x))),
    "sentinel -999, 1%": on("normal", where(0.01, -999.0)),
    "NaN, 2%": on("normal", where(0.02, np.nan)),
    "5 outliers x1000, normal": on("normal", outliers),
    "5 outliers x1000, fares": on("cents", outliers),
    "half of the rows gone": lambda table, rng: take(table, np.arange(len(table["normal"]) // 2)),
}


def power(table: Table, sizes: Sequence[int], repeats: int, rng: np.random.Generator) -> None:
    """Print the share of repetitions in which each fault was found, by size, and the measures that found it most."""
    print(f"\nFaults found, of {repeats} repetitions each, among {len(table)} columns")
    print(f"{'':28}" + "".join(f"{size:>12,}" for size in sizes) + "  found by")
    hits: Counter[tuple[str, int]] = Counter()
    by: dict[str, Counter[str]] = {fault: Counter() for fault in FAULTS}
    for size, _ in itertools.product(sizes, range(repeats)):
        before, after = (take(table, rng.integers(0, len(table["normal"]), size)) for _ in range(2))
        baseline, intact = statistics(before), statistics(after)
        falsely = {feature for feature, _, _ in alarms(intact, baseline)}
        for name, fault in FAULTS.items():
            found = [one for one in alarms(faulty(after, intact, fault, rng), baseline, True) if one[0] not in falsely]
            hits[name, size] += bool(found)
            by[name].update(measure for _, measure, _ in found)
    for name in FAULTS:
        shares = "".join(f"{hits[name, size] / repeats:>12.0%}" for size in sizes)
        print(f"{name:28}{shares}  {', '.join(one for one, _ in by[name].most_common(3))}")
    for size in sizes:
        print(f"{size:,} rows: {sum(hits[name, size] for name in FAULTS) / repeats:.1f} of {len(FAULTS)}")


def faulty(table: Table, intact: Statistics, fault: Fault, rng: np.random.Generator) -> Statistics:
    """Return the statistics of a table with a fault, computed anew only for columns that the fault changed."""
    changed = fault(table, rng)
    rows = len(next(iter(changed.values())))
    if rows != intact.num_examples:
        return statistics(changed)
    other = {name: column for name, column in changed.items() if column is not table.get(name)}
    made = Statistics(num_examples=rows)
    made.features.extend(one for one in intact.features if one.path.step[0] in changed.keys() - other.keys())
    if other:
        made.features.extend(statistics(other).features)
    return made


def main(words: Sequence[str]) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200, help="pairs of samples for each pair of sizes")
    parser.add_argument("--sizes", default="100,300,1000,15000,300000,1000000", help="rows of the samples")
    parser.add_argument("--power_sizes", default="300,15000,300000", help="rows for planted faults; empty for none")
    parser.add_argument("--repeats", type=int, default=5, help="repetitions of each fault")
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args(words)
    rng = np.random.default_rng(flags.seed)
    started = time.monotonic()
    sizes = [int(one) for one in flags.sizes.split(",")]
    most = max(sizes, default=0)
    table = population(rng, max(POOL if most > 100_000 else 500_000, most))
    equal = [(one, one) for one in sizes]
    unequal = [pair for one, two in itertools.pairwise(sizes) for pair in ((one, two), (two, one))]
    ends = [(sizes[0], sizes[-1]), (sizes[-1], sizes[0])] if len(sizes) > 2 else []
    false_alarms(table, equal + unequal + ends, flags.pairs, rng)
    if flags.power_sizes:
        power(table, [int(one) for one in flags.power_sizes.split(",")], flags.repeats, rng)
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
