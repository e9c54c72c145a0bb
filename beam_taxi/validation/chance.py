"""How far two samples of one distribution differ by chance alone, with a given probability `level`.

`n` and `m` are the numbers of independent values in the samples. All bounds are two-sided where that is meaningful.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

FEWEST = 20
"""Minimum number of values for an estimate of a variance."""

_BISECTIONS = 20


def inverse_sizes(n: float, m: float) -> float:
    """Return 1/n + 1/m: the variance of a difference of two means, for values of variance 1."""
    return 1 / n + 1 / m


def kolmogorov_smirnov(level: float, n: float, m: float) -> float:
    """Return the critical value of the two-sample Kolmogorov-Smirnov distance.

    It is the asymptotic sqrt(-ln(level/2)/2 * (n+m)/(n*m)) (Smirnov 1948), which ties only make stricter.
    """
    return min(1.0, math.sqrt(-math.log(level / 2) / 2 * inverse_sizes(n, m)))


def share(level: float, shares: tuple[float, float], n: float, m: float) -> float:
    """Return the critical value of the difference of two shares, in the direction of the difference of these.

    It is the smaller of two bounds, both of which hold given the number k of occurrences in both samples together.
    Bernstein's inequality for the difference is close to the normal approximation for common values (Boucheron,
    Lugosi, Massart, Concentration Inequalities, 2013, equation 2.10). For rare ones, one sample has x of them with a
    probability of exp(-k KL(x/k, n/(n+m))) at most (Hoeffding, Probability Inequalities for Sums of Bounded Random
    Variables, 1963, theorem 1 and section 6, for sampling without replacement).
    """
    a, b = shares
    return min(bernstein(level, pooled(shares, n, m), n, m), _hoeffding(level, a * n + b * m, n, m, a >= b))


def pooled(shares: tuple[float, float], n: float, m: float) -> float:
    """Return the share in both samples together."""
    return min(1.0, (shares[0] * n + shares[1] * m) / (n + m))


def bernstein(level: float, share: float, n: float, m: float) -> float:
    """Return how far apart the shares of two samples are by chance around `share`.

    If m is infinite, the second share is known exactly.
    """
    logarithm = math.log(2 / level)
    variance = share * (1 - share) * inverse_sizes(n, m)
    linear = logarithm * max(1 / n, 1 / m) / 3
    return min(1.0, linear + math.sqrt(linear * linear + 2 * logarithm * variance))


def _hoeffding(level: float, k: float, n: float, m: float, more_in_first: bool) -> float:
    here, there = (n, m) if more_in_first else (m, n)
    part, target = here / (here + there), math.log(2 / level)
    if k * math.log(1 / part) < target:
        return 1.0
    low, high = part, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if k * _divergence(middle, part) >= target else (middle, high)
    return min(1.0, k * high / here - k * (1 - high) / there)


def _divergence(p: float, q: float) -> float:
    """Return the Kullback-Leibler divergence of two Bernoulli distributions."""
    return p * math.log(p / q) + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0)


def total_variation(level: float, shares: Iterable[float], n: float, m: float) -> float:
    """Return the critical value of half the sum of the differences of shares, from the pooled shares.

    Its mean is at most half the sum of the standard deviations of the differences (Jensen's inequality), and it exceeds
    its mean by no more than McDiarmid's inequality says: a value of either sample moves it by 1/n or 1/m at most.
    """
    inverse = inverse_sizes(n, m)
    mean = sum(math.sqrt(max(0.0, p * (1 - p)) * inverse) for p in shares) / 2
    return min(1.0, mean + math.sqrt(-math.log(level) / 2 * inverse))


def mean(level: float, variance: float, n: float, m: float) -> float:
    """Return the critical value of the difference of two means, from the larger variance of the two samples.

    It is the quantile of Student's t for the degrees of freedom of the smaller sample, in two terms beyond the normal
    one (Abramowitz and Stegun 26.7.5), and infinite below `FEWEST` values, whose variance is too uncertain.
    """
    if min(n, m) < FEWEST:
        return math.inf
    z, freedom = NormalDist().inv_cdf(1 - level / 2), min(n, m) - 1
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return t * math.sqrt(variance * inverse_sizes(n, m))


def one_sided(level: float, here: float, there: float) -> float:
    """Return how often a value must occur in a sample of size `here` if its absence from the other one is not chance.

    Given that a value occurs c times in both together, all of them are in one with a probability of
    (here/(here+there))^c at most (hypergeometric, as in Fisher's exact test). The count returned is the c at which that
    is `level`.
    """
    return math.log(level) / math.log(here / (here + there))


def unseen(level: float, singletons: float, size: float) -> float:
    """Return a bound on the share of values that a sample of this size has not seen, from its values seen once.

    This is the Good-Turing estimate and its confidence interval: McAllester and Schapire, On the Convergence Rate of
    Good-Turing Estimators, 2000, theorem 3.
    """
    return min(1.0, singletons / size + (2 * math.sqrt(2) + math.sqrt(3)) * math.sqrt(math.log(3 / level) / size))


def distinct(level: float, size: float) -> float:
    """Return how far the number of distinct values of a sample is from its mean (McDiarmid: a row moves it by 1)."""
    return math.sqrt(size * math.log(2 / level) / 2)
