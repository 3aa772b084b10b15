"""bench/sim: ranks, their correlation, and the fit of costs."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench" / "sim"))
import calibrate  # noqa: E402
import fidelity  # noqa: E402


class Ranks(unittest.TestCase):
    def test_the_least_is_the_first(self) -> None:
        self.assertEqual(fidelity.ranks([30, 10, 20], 1), [3, 1, 2])

    def test_what_is_alike_shares_the_mean(self) -> None:
        self.assertEqual(fidelity.ranks([5, 9, 5, 1], 1), [2.5, 4, 2.5, 1])
        self.assertEqual(fidelity.ranks([7, 7, 7], 1), [2, 2, 2])

    def test_neighbours_within_the_factor_are_alike(self) -> None:
        self.assertEqual(fidelity.ranks([100, 149, 220, 400], 1.5), [2, 2, 2, 4])
        self.assertEqual(fidelity.ranks([100, 151, 220, 400], 1.5), [1, 2.5, 2.5, 4])

    def test_what_is_below_the_floor_is_alike(self) -> None:
        self.assertEqual(fidelity.ranks([0, 3, 10, 50], 1.5, 10), [2, 2, 2, 4])

    def test_what_never_ended_is_last(self) -> None:
        never = float("inf")
        self.assertEqual(fidelity.ranks([never, 3, never], 1.5), [2.5, 1, 2.5])

    def test_correlation(self) -> None:
        def together(one: list[float], other: list[float]) -> float:
            found = fidelity.correlation(one, other, 1)
            self.assertIsNotNone(found)
            return found or 0

        self.assertAlmostEqual(together([1, 2, 3], [10, 100, 1000]), 1)
        self.assertAlmostEqual(together([1, 2, 3], [30, 20, 10]), -1)
        # With ties: of ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4, by the definition.
        self.assertAlmostEqual(together([1, 5, 5, 9], [1, 2, 3, 4]), 4.5 / (4.5 * 5) ** 0.5)
        self.assertIsNone(fidelity.correlation([4, 4, 4], [1, 2, 3], 1))


class Known(calibrate.Model):
    """Two operations are told apart by what was done."""

    def __init__(self) -> None:
        nothing = {"many edges": 0.0, "many copies": 0.0, "both": 0.0}
        self.counts = {name: dict(nothing) for name in calibrate.SOUGHT}
        self.counts["edge"] = {"many edges": 100, "many copies": 1, "both": 50}
        self.counts["copy"] = {"many edges": 1, "many copies": 20, "both": 10}
        self.rest = {"many edges": 5, "many copies": 0, "both": 3}


class Fit(unittest.TestCase):
    def test_costs_are_found_again(self) -> None:
        model = Known()
        costs = {name: low for name, (low, _) in calibrate.SOUGHT.items()} | {"edge": 0.75, "copy": 6.0}
        live = model.predicted(costs)
        found = calibrate.fit(model, live)
        self.assertAlmostEqual(found["edge"], 0.75, delta=0.01)
        self.assertAlmostEqual(found["copy"], 6, delta=0.1)
        self.assertLess(calibrate.off_by(model.predicted(found), live), 1.01)
        for name, (low, high) in calibrate.SOUGHT.items():
            self.assertLessEqual(low - 1 / calibrate.PARTS, found[name])
            self.assertLessEqual(found[name], high + 1 / calibrate.PARTS)

    def test_how_far_it_is_off_is_a_factor(self) -> None:
        self.assertAlmostEqual(calibrate.off_by({"a": 2, "b": 3}, {"a": 1, "b": 6}), 2)


if __name__ == "__main__":
    unittest.main()
