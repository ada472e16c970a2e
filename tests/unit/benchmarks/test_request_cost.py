"""What the benchmark tells of its rounds: shares of the whole, from ratios within a round."""

from rich.console import Console

from benchmarks.request_cost import AS_IT_IS, WITHOUT, Cost, Plan, report, shares


def rounds(*per_second: float) -> list[Cost]:
    return [Cost(each, 1000 / each) for each in per_second]


MEASURED = {
    AS_IT_IS: rounds(90, 45, 180),
    WITHOUT["authentication"]: rounds(95, 50, 190),
    WITHOUT["row-level security"]: rounds(90, 45, 100),
    WITHOUT["both"]: rounds(100, 50, 200),
}


def test_a_share_is_the_median_of_the_rounds_own_ratios() -> None:
    taken = shares(MEASURED)
    assert taken["both"] == {"throughput": 10.0, "processor": 10.0}
    assert taken["authentication"]["throughput"] == 5.3
    assert taken["row-level security"]["throughput"] == 0.0


def test_the_report_has_the_numbers_of_every_way() -> None:
    found = report({"GET /runs": MEASURED}, Plan(rounds=3, requests=1, at_once=1), Console(quiet=True))
    assert found["requests"]["GET /runs"][AS_IT_IS] == {"per_second": 90, "processor_ms": 11.111}
    assert found["requests"]["GET /runs"]["shares"]["both"]["throughput"] == 10.0
