"""How the benchmarks sum up, and which of them are run."""

import pytest

from playground import bench
from playground.bench_numbers import spread


def test_few_values_have_a_largest_instead_of_a_percentile() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"p50": 2.0, "max": 3.0, "n": 3}


def test_a_percentile_lies_among_the_values() -> None:
    assert spread([float(one) for one in range(101)]) == {"p50": 50.0, "p95": 95.0, "n": 101}


def test_an_unknown_part_is_refused_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "pulls", "nonsense"])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code == 2
    assert "no such part: nonsense" in capsys.readouterr().err


async def test_what_is_asked_for_is_measured_in_that_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async def measured() -> dict[str, int]:
        return {"n": len(order)}

    order = ["git", "memory"]
    for part in order:
        monkeypatch.setitem(bench.PARTS, part, (part.title(), measured))
    assert list(await bench.measure_all(order)) == ["Git", "Memory"]
