"""How the benchmarks wait and sum up."""

import statistics

PATIENCE_S = 60


def spread(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile; the largest instead of it where there are fewer than 20."""
    middle, n = round(statistics.median(values), 2), len(values)
    if n < 20:
        return {"p50": middle, "max": round(max(values), 2), "n": n}
    return {
        "p50": middle,
        "p95": round(statistics.quantiles(values, n=20, method="inclusive")[18], 2),
        "n": n,
    }
