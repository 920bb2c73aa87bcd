"""Writes statsmodels.json: what statsmodels makes of small made-up series where its method is the same as ours.

    python -m venv venv && venv/bin/pip install statsmodels && venv/bin/python statsmodels_figures.py [--check]

`--check` compares with the file instead of writing it. The tests of the crate read the file; they need no Python.
"""

import json
import sys
from itertools import product
from pathlib import Path

import numpy
import statsmodels
from statsmodels.discrete.discrete_model import NegativeBinomial
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

PLACE = Path(__file__).with_name("statsmodels.json")
WEEK = 7
AHEAD = 14
DAMPING = 0.95
LEVELS, TRENDS, SEASONS = [0.1, 0.3, 0.6], [0.0, 0.1], [0.05, 0.2, 0.4]


def made_up(seed):
    """Days with a weekly rhythm, a trend and noise, as whole numbers."""
    state = seed * 2654435761 % 2**32

    def unit():
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return state / 2**32

    known, level, slope = 28 + int(unit() * 60), 500 + unit() * 9_500, (unit() - 0.4) * 40
    rhythm = [0.4 + unit() for _ in range(WEEK)]
    return [max(0, round((level + slope * day) * rhythm[day % WEEK] * (0.8 + 0.4 * unit()))) for day in range(known)]


def smoothed(days, level, trend, season):
    """Holt-Winters with these weights, started from the means of the first two weeks.

    Its state space form: `statsmodels.tsa.holtwinters` itself foretells the last day of the week by the season of a
    week ago.
    """
    first, second = numpy.mean(days[:WEEK]), numpy.mean(days[WEEK : 2 * WEEK])
    model = ETSModel(
        numpy.asarray(days, dtype=float),
        error="add",
        trend="add",
        damped_trend=True,
        seasonal="add",
        seasonal_periods=WEEK,
        initialization_method="known",
        initial_level=first,
        initial_trend=(second - first) / WEEK,
        initial_seasonal=[(days[at] - first + days[at + WEEK] - second) / 2 for at in range(WEEK)],
    )
    return model.smooth([level, level * trend, season, DAMPING])


def forecast_of(seed):
    days = made_up(seed)
    fits = [(smoothed(days, *weights), weights) for weights in product(LEVELS, TRENDS, SEASONS)]
    best, (level, trend, season) = min(fits, key=lambda fit: fit[0].sse)
    return {
        "days": days,
        "level": level,
        "trend": trend,
        "season": season,
        "squared_errors": best.sse,
        "ahead": [max(0.0, value) for value in best.forecast(AHEAD)],
    }


def tail_of(count, mean, size):
    """How likely `count` or more are in a negative binomial of this mean and size (NB2, alpha = 1 / size)."""
    model = NegativeBinomial(numpy.array([0, 1]), numpy.ones((2, 1)), loglike_method="nb2")
    spread = model.get_distribution(numpy.array([numpy.log(mean), 1 / size]), exog=numpy.ones((1, 1)))
    return {"count": count, "mean": mean, "size": size, "probability": float(numpy.squeeze(spread.sf(count - 1)))}


def figures():
    tails = [(0, 3.0, 2.0), (1, 0.003, 1.0), (4, 0.3, 3.0), (6, 0.3, 3.0), (12, 5.0, 4.0), (40, 30.0, 20.0)]
    tails += [(80, 30.0, 20.0), (150, 60.0, 50.0), (240, 60.0, 20.0), (900, 400.0, 25.0), (3000, 1000.0, 8.0)]
    return {
        "statsmodels": statsmodels.__version__,
        "forecasts": [forecast_of(seed) for seed in range(1, 9)],
        "tails": [tail_of(*tail) for tail in tails],
    }


def alike(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one if key != "statsmodels")
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return abs(one - other) <= 1e-9 * max(1e-12, abs(one), abs(other))


if __name__ == "__main__":
    made = figures()
    if "--check" in sys.argv:
        if not alike(made, json.loads(PLACE.read_text())):
            sys.exit(f"{PLACE.name} is not what statsmodels {statsmodels.__version__} gives")
        print(f"statsmodels {statsmodels.__version__} gives the figures of {PLACE.name}")
    else:
        forecasts, tails = (",\n  ".join(map(json.dumps, made[key])) for key in ("forecasts", "tails"))
        head = f'{{"statsmodels": "{made["statsmodels"]}",\n'
        PLACE.write_text(f'{head} "forecasts": [\n  {forecasts}],\n "tails": [\n  {tails}]}}\n')
