"""A synthetic sample of Chicago taxi trips: `python -m beam_taxi sample --rows N --seed S --out FILE`.

The 18 columns of the public Chicago Taxi Trips sample, with its shares, missing values, number formats and
quirks. The tables in shares.py were measured on that sample (15,002 trips of 2013 to 2016); nothing is read from it.

The bytes follow from the seed and the number of rows alone, and a larger sample begins with the rows of a
smaller one: each chunk of rows has its own random stream, only uniform draws are made, and only + - * /,
square roots and linear interpolation are applied to them, which no mathematics library rounds differently.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute as pc

from beam_taxi.samples.shares import (
    AREAS,
    BASE_FARE_OF_ZERO_SECONDS,
    COMPANIES,
    DURATION_FACTOR,
    FINE_MILES,
    FIRST_START,
    FLAG_CENTS,
    FLAT_TIP_FARE_CENTS,
    FLAT_TIPS_CENTS,
    HOURS,
    LAST_START,
    LOST_DECIMAL_POINT,
    MAX_HUNDREDTHS,
    MILES_PER_DEGREE_EAST,
    MILES_PER_DEGREE_NORTH,
    MONTHS,
    MOVING_SECONDS_PER_MILE,
    NEARER,
    NO_DROPOFF,
    NO_DROPOFF_AREA,
    NO_PLACES,
    NO_SECONDS,
    ODD_CENTS,
    PAYMENTS,
    PICKUP_TRACT,
    QUANTILES,
    ROAD_MILES,
    ROAD_PER_STRAIGHT,
    SAME_AREA,
    SECONDS_PER_STEP,
    START_STEP,
    STEP_CENTS,
    STEPS_PER_MILE,
    STRAIGHT_MILES_WITHIN_AREA,
    TIP_PER_FARE,
    TIPPED,
    TRACT_TOLD,
    TYPICAL_SECONDS,
    WAITING_SHARE,
    WEEKDAYS,
    WHOLE_NUMBERS,
    YEARS,
    ZERO_FARE,
    ZERO_MILES_OF_ZERO_SECONDS,
    ZERO_SECONDS,
)

COLUMNS: tuple[str, ...] = (
    "pickup_community_area",
    "fare",
    "trip_start_month",
    "trip_start_hour",
    "trip_start_day",
    "trip_start_timestamp",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
    "trip_miles",
    "pickup_census_tract",
    "dropoff_census_tract",
    "payment_type",
    "company",
    "trip_seconds",
    "dropoff_community_area",
    "tips",
)

CHUNK_ROWS = 25_000
"""Rows per random stream. Changing it changes every sample."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def cumulative(weights: Sequence[float] | Floats) -> Floats:
    """Return the cumulative shares, ending in 1, of relative weights."""
    total: Floats = np.cumsum(np.asarray(weights, dtype=np.float64))
    shares: Floats = total / total[-1]
    return shares


def draw(random: np.random.Generator, shares: Floats, size: int) -> Ints:
    """Return `size` indices into what `cumulative` made `shares` of."""
    return np.searchsorted(shares, random.random(size), side="right").astype(np.int64)


def spread(random: np.random.Generator, values: Sequence[float], size: int) -> Floats:
    """Return `size` numbers that have `values` at QUANTILES."""
    return np.interp(random.random(size), QUANTILES, values)


class Calendar(NamedTuple):
    """Every quarter of an hour in which a trip can start, and their cumulative shares."""

    timestamp: Ints
    month: Ints
    weekday: Ints
    hour: Ints
    shares: Floats


@cache
def calendar() -> Calendar:
    """Return the calendar: seconds since 1970 UTC, months from 1, weekdays from Sunday = 1, hours from 0."""
    start: npt.NDArray[np.datetime64] = np.arange(FIRST_START, LAST_START + START_STEP, START_STEP)
    days = start.astype("datetime64[D]").astype(np.int64)
    months = start.astype("datetime64[M]").astype(np.int64)
    timestamp = start.astype("datetime64[s]").astype(np.int64)
    month = months % 12
    weekday = (days + 4) % 7  # 1970-01-01 was a Thursday
    hour = timestamp // 3600 % 24
    year_weights = np.array(list(YEARS.values()))[months // 12 + 1970 - min(YEARS)]
    weights = year_weights * np.array(MONTHS)[month] * np.array(WEEKDAYS)[weekday] * np.array(HOURS)[hour]
    return Calendar(timestamp, month + 1, weekday + 1, hour, cumulative(weights))


@cache
def hundredths() -> pa.Array:
    """Return the texts of 0 to MAX_HUNDREDTHS hundredths, as in 0.0, 2.5 and 12.45, and "0" as the last."""
    return pa.array([*(repr(number / 100) for number in range(MAX_HUNDREDTHS + 1)), "0"])


@cache
def straight_miles() -> Floats:
    """Return the distances between the places of AREAS: one row and one column for each."""
    north = np.array([float(area.latitude) for area in AREAS]) * MILES_PER_DEGREE_NORTH
    east = np.array([float(area.longitude) for area in AREAS]) * MILES_PER_DEGREE_EAST
    distances: Floats = np.sqrt((north[:, None] - north) ** 2 + (east[:, None] - east) ** 2)
    return distances


class Places(NamedTuple):
    """Where trips start and end: indices into AREAS, and which of their columns are told."""

    pickup: Ints
    dropoff: Ints
    no_pickup: Bools
    no_dropoff: Bools
    no_dropoff_area: Bools
    pickup_tract: Bools
    dropoff_tract: Bools


def draw_places(random: np.random.Generator, size: int) -> Places:
    """Draw the places of `size` trips."""
    pickup = draw(random, cumulative([area.pickups for area in AREAS]), size)
    dropoffs = cumulative([area.dropoffs for area in AREAS])
    dropoff, other = draw(random, dropoffs, size), draw(random, dropoffs, size)
    nearer = straight_miles()[pickup, other] < straight_miles()[pickup, dropoff]
    dropoff = np.where(nearer & (random.random(size) < NEARER), other, dropoff)
    dropoff = np.where(random.random(size) < SAME_AREA, pickup, dropoff)
    quirk = random.random(size)
    no_pickup = quirk < NO_PLACES
    no_dropoff = quirk < NO_PLACES + NO_DROPOFF
    no_area = (quirk < NO_PLACES + NO_DROPOFF + NO_DROPOFF_AREA) & ~no_dropoff
    told = no_area | (random.random(size) < TRACT_TOLD * np.array([area.with_tract for area in AREAS])[dropoff])
    has_tract = np.array([area.tract is not None for area in AREAS])
    pickup_tract = (random.random(size) < PICKUP_TRACT) & has_tract[pickup] & ~no_pickup
    dropoff_tract = told & has_tract[dropoff] & ~no_dropoff
    return Places(pickup, dropoff, no_pickup, no_dropoff, no_area | no_dropoff, pickup_tract, dropoff_tract)


def draw_miles(random: np.random.Generator, places: Places) -> Floats:
    """Draw the road miles between the places, all above 0."""
    size = len(places.pickup)
    within = spread(random, STRAIGHT_MILES_WITHIN_AREA, size)
    straight = np.where(places.pickup == places.dropoff, within, straight_miles()[places.pickup, places.dropoff])
    return straight * spread(random, ROAD_PER_STRAIGHT, size)


class Meter(NamedTuple):
    """What the meter sent: cents, hundredths of a mile, seconds; `whole` trips have no decimals."""

    fare: Ints
    miles: Ints
    seconds: Ints
    no_seconds: Bools
    whole: Bools


def draw_meter(random: np.random.Generator, road_miles: Floats, company: Ints) -> Meter:
    """Draw duration and fare of trips of these distances, and lose what meters lose."""
    size = len(road_miles)
    typical = np.interp(road_miles, ROAD_MILES, TYPICAL_SECONDS)
    seconds = np.rint(typical * spread(random, DURATION_FACTOR, size) / 60).astype(np.int64) * 60
    waiting = WAITING_SHARE * np.maximum(seconds - MOVING_SECONDS_PER_MILE * road_miles, 0.0)
    steps = np.floor(STEPS_PER_MILE * road_miles + waiting / SECONDS_PER_STEP).astype(np.int64)
    fare = FLAG_CENTS + STEP_CENTS * steps
    odd = random.random(size) < ODD_CENTS
    fare += np.where(odd, np.floor(random.random(size) * 40).astype(np.int64) * 5, 0)

    zero_seconds = random.random(size) < ZERO_SECONDS
    seconds[zero_seconds] = 0
    fare[zero_seconds & (random.random(size) < BASE_FARE_OF_ZERO_SECONDS)] = FLAG_CENTS
    no_distance = np.array([company.zero_miles for company in COMPANIES])[company]
    no_distance = np.where(zero_seconds, ZERO_MILES_OF_ZERO_SECONDS, no_distance)
    fine = (company == 0) & (random.random(size) < FINE_MILES)
    miles = np.where(fine, np.rint(road_miles * 100), np.rint(road_miles * 10) * 10).astype(np.int64)
    miles[random.random(size) < LOST_DECIMAL_POINT] *= 10
    miles[random.random(size) < no_distance] = 0

    whole = random.random(size) < WHOLE_NUMBERS
    fare[whole | (random.random(size) < ZERO_FARE)] = 0
    miles[whole] = 0
    no_seconds = (random.random(size) < NO_SECONDS) & ~whole
    return Meter(np.minimum(fare, MAX_HUNDREDTHS), np.minimum(miles, MAX_HUNDREDTHS), seconds, no_seconds, whole)


def draw_tips(random: np.random.Generator, fare: Ints, payment: Ints) -> Ints:
    """Draw the tips (cents) for these fares (cents): for some, a round amount or a fraction of the fare."""
    size = len(fare)
    tipped = np.array([TIPPED.get(name, 0.0) for name in PAYMENTS])[payment]
    amounts = np.array([*FLAT_TIPS_CENTS, 0])
    others = 1000 - sum(FLAT_TIPS_CENTS.values())
    flat = amounts[draw(random, cumulative([*FLAT_TIPS_CENTS.values(), others]), size)]
    fraction = np.rint(fare / 5 * spread(random, TIP_PER_FARE, size)).astype(np.int64) * 5
    tips = np.where((flat > 0) & (fare <= FLAT_TIP_FARE_CENTS), flat, fraction)
    return np.where(random.random(size) < tipped, np.minimum(tips, MAX_HUNDREDTHS), 0)


def texts(values: pa.Array, codes: Ints, missing: Bools | None = None) -> pa.Array:
    """Return `values` at `codes`, and null where `missing`."""
    return values.take(pa.array(codes, mask=missing))


def generate_chunk(seed: int, index: int) -> pa.RecordBatch:
    """Return chunk `index` of the sample: CHUNK_ROWS trips, integers or the texts of the CSV file."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))
    slots = calendar()
    slot = draw(random, slots.shares, CHUNK_ROWS)
    company = draw(random, cumulative([company.trips for company in COMPANIES]), CHUNK_ROWS)
    payment = draw(random, cumulative(list(PAYMENTS.values())), CHUNK_ROWS)
    places = draw_places(random, CHUNK_ROWS)
    meter = draw_meter(random, draw_miles(random, places), company)
    tips = draw_tips(random, meter.fare, payment)

    areas = np.array([area.number for area in AREAS])
    tracts = np.array([area.tract or 0 for area in AREAS])
    latitudes = pa.array([area.latitude for area in AREAS])
    longitudes = pa.array([area.longitude for area in AREAS])
    whole = MAX_HUNDREDTHS + 1
    columns = {
        "pickup_community_area": pa.array(areas[places.pickup], mask=places.no_pickup),
        "fare": texts(hundredths(), np.where(meter.whole, whole, meter.fare)),
        "trip_start_month": pa.array(slots.month[slot]),
        "trip_start_hour": pa.array(slots.hour[slot]),
        "trip_start_day": pa.array(slots.weekday[slot]),
        "trip_start_timestamp": pa.array(slots.timestamp[slot]),
        "pickup_latitude": texts(latitudes, places.pickup, places.no_pickup),
        "pickup_longitude": texts(longitudes, places.pickup, places.no_pickup),
        "dropoff_latitude": texts(latitudes, places.dropoff, places.no_dropoff),
        "dropoff_longitude": texts(longitudes, places.dropoff, places.no_dropoff),
        "trip_miles": texts(hundredths(), np.where(meter.whole, whole, meter.miles)),
        "pickup_census_tract": pa.array(tracts[places.pickup], mask=~places.pickup_tract),
        "dropoff_census_tract": pa.array(tracts[places.dropoff], mask=~places.dropoff_tract),
        "payment_type": texts(pa.array(list(PAYMENTS)), payment),
        "company": texts(pa.array([company.name for company in COMPANIES]), company),
        "trip_seconds": pa.array(meter.seconds, mask=meter.no_seconds),
        "dropoff_community_area": pa.array(areas[places.dropoff], mask=places.no_dropoff_area),
        "tips": texts(hundredths(), np.where(meter.whole, whole, tips)),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in COLUMNS], names=list(COLUMNS))


def write_sample(sink: IO[bytes], rows: int, seed: int) -> None:
    """Write the header and `rows` trips as CSV to `sink`, a chunk at a time: no cell needs quotes."""
    sink.write((",".join(COLUMNS) + "\n").encode())
    for first in range(0, rows, CHUNK_ROWS):
        chunk = generate_chunk(seed, first // CHUNK_ROWS).slice(0, rows - first)
        cells = [column.cast(pa.string()) for column in chunk.columns]
        lines = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
        joined = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")
        sink.write(joined[0].as_buffer())
        sink.write(b"\n")


@contextmanager
def written_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that becomes `path` when the block succeeds, and is removed when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class OneLineParser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


_LARGEST = 10**12


def not_negative(text: str) -> int:
    """Return the number, or raise ArgumentTypeError."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number > _LARGEST:
        raise argparse.ArgumentTypeError(f"must be no more than {_LARGEST}")
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be a whole number that is not negative, got {text!r}")
    return number


def main(argv: Sequence[str] | None = None, prog: str = "python -m beam_taxi sample") -> int:
    """Return the exit status: 0, or 1 if writing failed. Bad arguments raise SystemExit with status 2."""
    parser = OneLineParser(prog=prog, description="Write a synthetic sample of taxi trips.")
    parser.add_argument("--rows", type=not_negative, required=True, help="number of trips")
    parser.add_argument("--seed", type=not_negative, default=1, help="random seed (default: %(default)s)")
    parser.add_argument("--out", required=True, help="CSV file to write, replaced if it exists; - is standard output")
    parser.add_argument("-v", "--verbose", action="store_true", help="show also the trace of an error")
    arguments: Any = parser.parse_args(argv)
    path = Path(os.path.realpath(arguments.out))
    if not arguments.out:
        parser.error("argument --out: must name a file")
    if arguments.out != "-" and path.exists() and not stat.S_ISREG(path.stat().st_mode):
        parser.error(f"argument --out: {arguments.out} is not a regular file")
    try:
        if arguments.out == "-":
            write_sample(sys.stdout.buffer, arguments.rows, arguments.seed)
            sys.stdout.buffer.flush()
        else:
            with written_atomically(path) as file:
                write_sample(file, arguments.rows, arguments.seed)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"{parser.prog}: cannot write {arguments.out}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
