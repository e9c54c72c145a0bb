"""The kinds of findings: their titles, how harmful they are, and which of them make others superfluous."""

from __future__ import annotations

OUTLIERS, SENTINEL, UNIQUE, COPY, CONSTANT, EMPTY = "outliers", "sentinel", "unique", "copy", "constant", "empty"
NUMBERS_AS_TEXT, WHITE_SPACE, CASE_VARIANTS = "numbers_as_text", "white_space", "case_variants"
RARE_VALUES, MANY_VALUES, SKEWED, MANY_ZEROS = "rare_values", "many_values", "skewed", "many_zeros"
MANY_MISSING, NAN, IMBALANCE, GIVES_AWAY_LABEL = "many_missing", "nan", "imbalance", "gives_away_label"
DUPLICATE_ROWS, MISSING_TOGETHER, SPLIT_DIFFERENCE = "duplicate_rows", "missing_together", "split_difference"
DRIFT, ANOMALY, CHECK = "drift", "anomaly", "check"

TITLES = {
    OUTLIERS: "Values far beyond the rest",
    SENTINEL: "A value that may stand for missing",
    UNIQUE: "Every value is different",
    COPY: "Redundant with another column",
    CONSTANT: "Only one value",
    EMPTY: "No values",
    NUMBERS_AS_TEXT: "Numbers stored as text",
    WHITE_SPACE: "White space in values",
    CASE_VARIANTS: "Spellings of the same value",
    RARE_VALUES: "Rare values",
    MANY_VALUES: "Many different values",
    SKEWED: "Skewed values",
    MANY_ZEROS: "Many zeros",
    MANY_MISSING: "Missing values",
    NAN: "NaN or infinite values",
    IMBALANCE: "Imbalanced label",
    GIVES_AWAY_LABEL: "Gives the label away",
    DUPLICATE_ROWS: "Repeated rows",
    MISSING_TOGETHER: "Missing in the same rows",
    SPLIT_DIFFERENCE: "Differs between the splits",
    DRIFT: "Differs from the baseline",
    ANOMALY: "Anomaly",
    CHECK: "Check",
}

HARM = {
    ANOMALY: 1.0,
    CHECK: 1.0,
    GIVES_AWAY_LABEL: 1.0,
    NAN: 1.0,
    SENTINEL: 0.9,
    OUTLIERS: 0.85,
    DUPLICATE_ROWS: 0.8,
    DRIFT: 0.75,
    SPLIT_DIFFERENCE: 0.75,
    CASE_VARIANTS: 0.75,
    WHITE_SPACE: 0.75,
    NUMBERS_AS_TEXT: 0.6,
    COPY: 0.5,
    IMBALANCE: 0.5,
    EMPTY: 0.45,
    CONSTANT: 0.4,
    UNIQUE: 0.4,
    MANY_MISSING: 0.4,
    MISSING_TOGETHER: 0.35,
    MANY_VALUES: 0.3,
    SKEWED: 0.3,
    RARE_VALUES: 0.25,
    MANY_ZEROS: 0.2,
}
"""How harmful a finding of a kind is to training, between 0 and 1: half of that if it affects hardly any row."""

SUPERFLUOUS = {
    EMPTY: {MANY_MISSING, MISSING_TOGETHER, SPLIT_DIFFERENCE},
    CONSTANT: {IMBALANCE, SKEWED, MANY_ZEROS, COPY, RARE_VALUES},
    UNIQUE: {MANY_VALUES, RARE_VALUES},
    NUMBERS_AS_TEXT: {MANY_VALUES, RARE_VALUES, UNIQUE},
    SENTINEL: {SKEWED},
    OUTLIERS: {SKEWED},
    CASE_VARIANTS: {RARE_VALUES},
    WHITE_SPACE: {RARE_VALUES},
    GIVES_AWAY_LABEL: {COPY},
}
"""By kind, what need not be said about the same columns, too."""


def weight(kind: str, share: float) -> float:
    """Return the weight of a finding that affects a share of the rows."""
    return HARM[kind] * (1 + min(1.0, max(0.0, share))) / 2
