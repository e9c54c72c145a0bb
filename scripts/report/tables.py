"""Three tables like public ones, without faults: taxi trips, a census with a credit's outcome, orders with sensors."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from beam_taxi.samples.taxi import write_sample

Random = np.random.Generator

WORK = {"Private": 0.68, "Self-employed": 0.11, "Local government": 0.09, "State government": 0.07, "Federal": 0.05}
EDUCATION = {
    "High school": 0.35,
    "Some college": 0.25,
    "Bachelor": 0.2,
    "Master": 0.1,
    "Primary": 0.07,
    "Doctorate": 0.03,
}
OCCUPATIONS = (
    "Clerical",
    "Craft",
    "Executive",
    "Farming",
    "Machine operator",
    "Other service",
    "Professional",
    "Sales",
)
COUNTRIES = {"DE": 0.3, "FR": 0.22, "NL": 0.18, "IT": 0.12, "ES": 0.1, "PL": 0.08}
DEVICES = ("desktop", "mobile", "tablet")


@dataclass(frozen=True)
class Table:
    """A table, the arguments that its runs need, and the column by which its rows are split, if any."""

    name: str
    make: Callable[[int, int], pd.DataFrame]
    arguments: Sequence[str] = ()
    split_key: str | None = None


def taxi(rows: int, seed: int) -> pd.DataFrame:
    """Return synthetic taxi trips, all cells as text, without the column that has almost no values."""
    content = io.BytesIO()
    write_sample(content, rows, seed)
    content.seek(0)
    return pd.read_csv(content, dtype=str, keep_default_na=False).drop(columns="pickup_census_tract")


def census(rows: int, seed: int) -> pd.DataFrame:
    """Return people with their work and income, and whether they paid a credit back."""
    rng = np.random.default_rng([seed, 1])
    age = np.clip(rng.gamma(9, 4.5, rows) + 8, 17, 90).astype(int)
    hours = np.clip(rng.normal(40, 11, rows), 5, 80).astype(int)
    income = np.round(rng.lognormal(10.4, 0.5, rows), -2).astype(int)
    risk = 1 / (1 + np.exp(1.1 + (income - 35_000) / 30_000 + (age - 45) / 40))
    return pd.DataFrame(
        {
            "age": age,
            "work": _chosen(rng, WORK, rows),
            "education": _chosen(rng, EDUCATION, rows),
            "occupation": rng.choice(OCCUPATIONS, rows),
            "sex": _chosen(rng, {"female": 0.48, "male": 0.52}, rows),
            "hours_per_week": hours,
            "household_size": 1 + rng.binomial(5, 0.3, rows),
            "income": income,
            "credit_amount": np.round(income * rng.uniform(0.05, 0.6, rows), -1).astype(int),
            "months": rng.choice([12, 24, 36, 48, 60], rows),
            "default": (rng.random(rows) < risk).astype(int),
        }
    )


def orders(rows: int, seed: int) -> pd.DataFrame:
    """Return orders of a shop, with what sensors in the van measured, in batches."""
    rng = np.random.default_rng([seed, 2])
    quantity = 1 + rng.poisson(1.5, rows)
    days = np.datetime64("2025-01-01") + rng.integers(0, 365, rows)
    return pd.DataFrame(
        {
            "batch": [f"B{number:03d}" for number in rng.integers(0, 400, rows)],
            "country": _chosen(rng, COUNTRIES, rows),
            "device": rng.choice(DEVICES, rows, p=[0.4, 0.5, 0.1]),
            "ordered_on": days.astype(str),
            "quantity": quantity,
            "unit_price": np.round(rng.gamma(4, 8, rows) + 1, 2),
            "temperature": np.round(rng.normal(5, 1.5, rows), 1),
            "humidity": np.round(rng.normal(60, 8, rows), 1),
            "vibration": np.round(rng.gamma(6, 0.05, rows), 3),
            "minutes": np.round(rng.normal(180, 35, rows)).astype(int),
            "returned": (rng.random(rows) < 0.2).astype(int),
        }
    )


def _chosen(rng: Random, shares: Mapping[str, float], rows: int) -> np.ndarray:
    return rng.choice(list(shares), rows, p=list(shares.values()))


TABLES = (
    Table("taxi", taxi),
    Table("census", census, ("--label", "default")),
    Table("orders", orders, ("--split_key", "batch"), "batch"),
)
