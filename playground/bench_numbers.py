"""How the benchmarks wait and sum up."""

import statistics

PATIENCE_S = 60


def spread(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    cuts = statistics.quantiles(values, n=20)
    return {"p50": round(statistics.median(values), 2), "p95": round(cuts[18], 2), "n": len(values)}
