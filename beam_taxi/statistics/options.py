"""TFDV's options from the settings of a run."""

from __future__ import annotations

import tensorflow_data_validation as tfdv

from beam_taxi.settings import StatisticsSettings

RANKED_VALUES = 1000
"""How many of the most frequent values of a string feature are kept with their counts."""


def stats_options(settings: StatisticsSettings) -> tfdv.StatsOptions:
    """Return TFDV's options for these settings."""
    return tfdv.StatsOptions(
        weight_feature=settings.weight_feature,
        num_top_values=settings.top_k,
        num_rank_histogram_buckets=RANKED_VALUES,
        # The default of 1 leaves out values with a smaller sum of weights, so merged splits would lack values.
        weighted_frequency_threshold=0,
        num_histogram_buckets=settings.histogram_buckets,
        num_quantiles_histogram_buckets=settings.quantile_buckets,
    )
