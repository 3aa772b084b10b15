"""Words become numbers, ranges, rules, plans and cases, and back; what is wrong is refused in one line."""

import shlex
import unittest
from pathlib import Path

from tests.tools.sim.fixture import SIMULATOR, SimTest
from tools.sim import arguments, case, catalogue, fault_rules, ranges, reproduction
from tools.sim.ranges import Shard, Spans
from tools.sim.refusal import Refused


class Numbers(unittest.TestCase):
    def test_durations(self):
        self.assertEqual(600, ranges.seconds("10m", "--time"))
        self.assertEqual(5400, ranges.seconds("1h30m", "--time"))
        self.assertEqual(0.5, ranges.seconds("500ms", "--time"))
        for text in ("10", "m", "-1s", "1 s", "0s", "1x", ""):
            with self.assertRaises(Refused, msg=text):
                ranges.seconds(text, "--time")

    def test_operations_and_back(self):
        self.assertEqual((0, 1, 2, 3, 4, 5, 9), ranges.operations("0-5,9", "--keep"))
        self.assertEqual("0-5,9", ranges.text_of(ranges.operations("9,3-5,0-4", "--keep")))
        for text in ("", "5-3", "a", "1,,2", "1-", "99999999"):
            with self.assertRaises(Refused, msg=text):
                ranges.operations(text, "--keep")

    def test_seeds(self):
        self.assertEqual((3, 3), ranges.seeds("3..3"))
        self.assertEqual((7, ranges.SEED_LAST), ranges.seeds("7.."))
        for text in ("5", "9..3", "..4", "a..b", f"1..{2**64}", "-1..3"):
            with self.assertRaises(Refused, msg=text):
                ranges.seeds(text)

    def test_shards_are_all_seeds_once(self):
        for count in (1, 2, 3, 7, 10):
            parts = [Shard(index, count).part(5, 14) for index in range(1, count + 1)]
            seeds = [seed for first, last in parts for seed in range(first, last + 1)]
            self.assertEqual(list(range(5, 15)), seeds)
        for text in ("0/3", "4/3", "1", "1/0", "a/b", "1/2/3"):
            with self.assertRaises(Refused, msg=text):
                ranges.shard(text)

    def test_spans(self):
        spans = Spans([(1, 3), (10, 12), (4, 5), (8, 8)])
        self.assertEqual([(1, 5), (8, 8), (10, 12)], list(spans))
        spans.add(6, 9)
        self.assertEqual([(1, 12)], list(spans))
        self.assertEqual([(0, 0), (13, 15)], spans.missing(0, 15))
        self.assertEqual([(11, 12)], spans.common(Spans([(11, 20)])))
        self.assertEqual(12, len(spans))


class Slurm(unittest.TestCase):
    def shard(self, id_: int, count: int, least: int, **more: int) -> Shard:
        values = {"ID": id_, "COUNT": count, "MIN": least} | more
        return arguments.slurm_shard({f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()})

    def test_arrays_begin_anywhere_and_may_have_a_step(self):
        self.assertEqual(Shard(1, 8), self.shard(0, 8, 0))
        self.assertEqual(Shard(8, 8), self.shard(8, 8, 1, MAX=8))
        self.assertEqual(Shard(3, 4), self.shard(14, 4, 10, MAX=16, STEP=2))

    def test_what_is_no_array(self):
        for id_, count, least, more in ((9, 8, 0, {}), (3, 3, 1, {"MAX": 7}), (11, 4, 10, {"MAX": 16, "STEP": 2})):
            with self.assertRaises(Refused):
                self.shard(id_, count, least, **more)
        with self.assertRaisesRegex(Refused, "SLURM_ARRAY_TASK_ID"):
            arguments.slurm_shard({})


class Rules(unittest.TestCase):
    def test_a_rule_and_back(self):
        for text in (
            "interrupt.late:probability=0.01:amount=1000-5000",
            "points.frames.allocate:at=3,7",
            "interrupt.lost:probability=1:from=1ms:until=5ms:cpu=2:limit=9",
        ):
            self.assertEqual(text, fault_rules.parse(text).text())

    def test_what_contradicts_itself(self):
        for text, said in (
            ("a:probability=0.1:at=3", "either probability= or at="),
            ("a", "either probability= or at="),
            ("a:probability=0", "above 0"),
            ("a:probability=1.5", "above 0"),
            ("a:at=0", "between 1"),
            ("a:at=3,3", "twice"),
            ("a:at=3:at=4", "twice"),
            ("a:at=3:from=5ms:until=5ms", "not before"),
            ("a:at=3:amount=9-2", "neither"),
            ("a:at=3:amuont=9", "did you mean 'amount'"),
            ("a:at", "not key=value"),
        ):
            with self.assertRaisesRegex(Refused, said, msg=text):
                fault_rules.parse(text)

    def test_texts_of_one_failure_are_one_signature(self):
        self.assertEqual(
            case.normal_text("block 17 at 0x7f00 holds [1, 2, 3], hash 00ff00ff00ff00ff"),
            case.normal_text("block 4 at 0xa holds [5, 6],  hash 1234567890abcdef"),
        )
        self.assertNotEqual(case.normal_text("block 1 lost"), case.normal_text("block 1 twice"))


class Plans(SimTest):
    def plan(self, text: str) -> fault_rules.Plan:
        Path(self.path("plan.toml")).write_text(text)
        return fault_rules.read_plan(self.path("plan.toml"))

    def test_a_plan(self):
        plan = self.plan(
            'swarm = true\nseed = 7\n[[fault]]\nname = "interrupt.late"\nprobability = 0.00001\namount = "10-20"\n'
            '[[fault]]\nname = "interrupt.lost"\nat = [3, 1]\nfrom = "1ms"\n'
        )
        self.assertEqual((True, 7), (plan.swarm, plan.seed))
        texts = ["interrupt.late:probability=0.00001:amount=10-20", "interrupt.lost:at=1,3:from=1ms"]
        self.assertEqual(texts, [rule.text() for rule in plan.rules])

    def test_what_is_no_plan(self):
        for text, said in (
            ("[[fault]]\nat = [1]\n", "fault 1 has no name"),
            ('[[fault]]\nname = "a"\nprobability = 0.1\nat = [1]\n', "either"),
            ('[[fault]]\nname = "a"\nat = [1]\nwhen = 3\n', "unknown key 'when'"),
            ('[[fault]]\nname = "a"\nat = true\n', "wrong kind"),
            ("swam = true\n", "did you mean 'swarm'"),
            ("swarm = 1\n", "true or false"),
            ("fault = 3\n", "tables"),
            ("[[fault\n", "plan.toml"),
            ("", "nothing can fail under it"),
            ("swarm = false\n", "nothing can fail under it"),
        ):
            with self.assertRaisesRegex(Refused, said, msg=text):
                self.plan(text)
        with self.assertRaisesRegex(Refused, "No such file"):
            fault_rules.read_plan(self.path("none.toml"))


class OwnPlans(SimTest):
    """What a command means that says nothing of faults, for a workload that has a plan."""

    def asked(self, *words: str) -> arguments.Faults:
        return arguments.faults(arguments.parser().parse_args(["nvme-faults", *words]))

    def test_it_is_in_force_where_a_command_names_no_faults(self):
        plan = fault_rules.read_plan(str(fault_rules.own_plan("nvme-faults")))
        self.assertGreaterEqual(len(plan.rules), 26)
        self.assertEqual(arguments.Faults(plan.rules, True, None), self.asked("--seeds", "1..9"))
        self.assertEqual(arguments.Faults((), False, None), self.asked("--faults", "none"))
        self.assertEqual(arguments.Faults((), True, None), self.asked("--swarm"))
        named = self.asked("--fault", "interrupt.lost:at=1")
        self.assertEqual(["interrupt.lost:at=1"], [rule.text() for rule in named.rules])
        self.assertIsNone(fault_rules.own_plan("heap"))

    def test_the_command_of_a_case_without_faults_has_none(self):
        words = case.Case("nvme-faults", 7).options()
        self.assertEqual(["--faults", "none"], words[-2:])
        self.assertEqual(arguments.Faults((), False, None), self.asked(*words[1:]))


class Refusals(SimTest):
    def test_each_is_one_line_with_status_64(self):
        for words, said in (
            ((), "which workload"),
            (("qiet", "--seeds", "1..3"), "unknown workload 'qiet'; did you mean 'quiet'?"),
            (("quiet", "--seeds", "3..1"), "ends before it begins"),
            (("quiet", "--seeds", "1.."), "does not end"),
            (("quiet", "--seed", "x"), "no whole number"),
            (("quiet", "--seed", "1", "--seeds", "1..2"), "give one of them"),
            (("quiet", "--seed", "1", "--time", "1m"), "--time is for a campaign"),
            (("quiet", "--seed", "1", "--shard", "1/2"), "--shard is for a campaign"),
            (("quiet", "--seeds", "1..9", "--record", "r"), "--record is not for a campaign"),
            (("quiet", "--seds", "1..9"), "did you mean '--seeds'?"),
            (("quiet", "extra", "--seeds", "1..9"), "unknown argument 'extra'"),
            (("quiet", "--cpus", "65"), "between 1 and 64"),
            (("quiet", "--machines", "2"), "the workload quiet is of one machine"),
            (("joined", "--machines", "7"), "between 1 and 6"),
            (("joined", "--schedule", "pct:2"), "pct:2 is of one machine, and the case has 3"),
            (("joined", "--fault", "interrupt.late:at=1"), "between 3 machines there are faults of links alone"),
            (("joined", "--fault", "link.lost:at=1:cpu=3"), "machines 0 to 2"),
            (("quiet", "--jobs", "0", "--seeds", "1..2"), "between 1"),
            (("quiet", "--operations", "8", "--keep", "3,8"), "operation 8 is not among the 8"),
            (("quiet", "--schedule", "pct"), "not random"),
            (("quiet", "--costs", "gold"), "there are: xeon flat"),
            (("quiet", "--mutant", "eazy_bug"), "did you mean 'easy_bug'?"),
            (("quiet", "--fault", "interupt.late:at=1"), "did you mean 'interrupt.late'?"),
            (("quiet", "--fault", "interrupt.lost:at=1:amount=3"), "has no amount"),
            (("quiet", "--fault", "interrupt.lost:at=1:cpu=4"), "processors 0 to 3"),
            (("quiet", "--fault", "interrupt.lost:at=1", "--fault", "interrupt.lost:at=1"), "there twice"),
            (("quiet", "--faults", self.path("none.toml")), "No such file"),
            (("quiet", "--seeds", "1..9", "--shard", "3/2"), "no part 3 of 2"),
            (("quiet", "--seeds", "1..9", "--json", "/nonexistent/x"), "cannot be written"),
            (("quiet", "--seeds", "1..9", "--costs", "flat"), "refuses the case: no costs today"),
            (("quiet", "--seed", "8", "--costs", "flat"), "refuses the case: no costs today"),
            (("--list", "quiet"), "unknown argument 'quiet'"),
            (("merge", self.path("none")), "No such file"),
            (("merge",), "STATE"),
            (("bugs", "--time", "x"), "no duration"),
        ):
            self.assertIn(said, self.refused(*words), words)

    def test_without_a_simulator(self):
        said = self.refused("quiet", "--seeds", "1..3", "--simulator", self.path("none"), status=69)
        self.assertIn("does not run", said)
        for program, why in (("/bin/false", "ended with status 1"), ("/bin/true", "nothing that is understood")):
            self.assertIn(why, self.refused("quiet", "--seeds", "1..3", "--simulator", program, status=69))


class Commands(SimTest):
    def test_the_command_of_a_case_is_that_case(self):
        known = catalogue.describe(SIMULATOR)
        rules = (fault_rules.parse("interrupt.late:probability=0.5:amount=1-2:cpu=1"),)
        for one in (
            self.case("quiet", 7),
            self.case("quiet", 0, cpus=2, threads=1, keep=(0, 1, 2, 9), schedule="pct:3"),
            self.case("kernel", 2**64 - 1, faults=rules, fault_seed=3, swarm=True, costs="flat", mutant="easy_bug"),
            self.case("joined", 7, machines=1),
            self.case("joined", 7, machines=3, faults=(fault_rules.parse("link.lost:at=1:cpu=2"),)),
        ):
            entry, verb, *words = shlex.split(reproduction.command(one))
            self.assertEqual(("./twofold", "sim"), (entry, verb))
            options = arguments.parser().parse_args(words)
            self.assertTrue(arguments.is_single(options))
            self.assertEqual(one, arguments.case(options, known))
            self.assertEqual(one, case.Case.from_json(one.json()))


if __name__ == "__main__":
    unittest.main()
