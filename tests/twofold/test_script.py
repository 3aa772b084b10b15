"""The entry script: verbs, options and presets that do not exist, and help."""

import subprocess
import sys
import unittest

sys.path.insert(0, __file__.rpartition("/")[0])
from twofold_test import ROOT, ScriptTest  # noqa: E402


class Verbs(ScriptTest):
    def test_unknown_verb_names_the_nearest(self) -> None:
        self.assert_refused(self.run_script("docter"), 64, "unknown verb 'docter'", "did you mean 'doctor'?")

    def test_a_verb_like_nothing_gets_no_suggestion(self) -> None:
        done = self.run_script("xylophone")
        self.assert_refused(done, 64, "xylophone", "./twofold help")
        self.assertNotIn("did you mean", done.stderr)

    def test_a_path_is_no_verb(self) -> None:
        for verb in ("../common", "/etc/passwd", "", "run test", "-x"):
            self.assert_refused(self.run_script(verb), 64, f"unknown verb '{verb}'")

    def test_help_lists_every_verb_with_a_summary(self) -> None:
        done = self.run_script("help")
        self.assertEqual(done.returncode, 0)
        for file in (ROOT / "tools/twofold/verbs").glob("*.sh"):
            first = file.read_text().splitlines()[0]
            self.assertTrue(first.startswith(f"# {file.stem}: "), file)
            self.assertIn(first.partition(": ")[2], done.stdout)
            self.assertIn(f"verb_{file.stem}()", file.read_text())

    def test_help_of_a_verb_shows_its_use(self) -> None:
        done = self.run_script("help", "test")
        self.assertEqual(done.returncode, 0)
        self.assertIn("./twofold test [--quick | --full] [--filter REGEX]", done.stdout)
        self.assertNotIn("#", done.stdout)
        self.assertEqual(self.run_script("test", "--help").stdout, done.stdout)

    def test_no_verb_is_help(self) -> None:
        self.assertEqual(self.run_script().stdout, self.run_script("help").stdout)

    def test_help_of_an_unknown_verb(self) -> None:
        self.assert_refused(self.run_script("help", "tests"), 64, "did you mean 'test'?")

    def test_a_verb_dropped_in_is_found(self) -> None:
        root = self.copy()
        (root / "tools/twofold/verbs/greet.sh").write_text('# greet: say so\nverb_greet() { echo "hi $1"; }\n')
        self.assertEqual(self.run_script("greet", "you", root=root).stdout, "hi you\n")
        self.assertIn("greet      say so", self.run_script("help", root=root).stdout)


class Options(ScriptTest):
    def test_unknown_options_are_refused(self) -> None:
        self.assert_refused(self.run_script("test", "--quik"), 64, "'--quik'", "did you mean '--quick'?")
        for verb in ("doctor", "setup", "test", "fuzz", "coverage", "image", "install"):
            self.assert_refused(self.run_script(verb, "--zzz"), 64, verb, "unknown option '--zzz'")

    def test_a_missing_value_is_named(self) -> None:
        self.assert_refused(self.run_script("test", "--filter"), 64, "--filter needs a value")
        self.assert_refused(self.run_script("fuzz", "acpi", "--time"), 64, "--time needs a value")

    def test_a_time_must_be_a_number(self) -> None:
        for time in ("0", "-1", "ten", "9999999"):
            self.assert_refused(self.run_script("fuzz", "acpi", "--time", time), 64, "--time", time)

    def test_unknown_preset_names_those_there_are(self) -> None:
        done = self.run_script("run", "--preset", "relase")
        self.assert_refused(done, 64, "unknown preset 'relase'", "did you mean 'release'?", "debug release clang")
        self.assert_refused(self.run_script("boot", "--preset=base"), 64, "unknown preset 'base'")


class Fuzz(ScriptTest):
    """On a build that has one target, a shell script in libFuzzer's place."""

    def fuzz(self, program: str, *options: str) -> subprocess.CompletedProcess[str]:
        root = self.copy()
        build = root / "build" / "fuzz"
        (build / "fuzz-targets").mkdir(parents=True)
        targets = ("build.ninja", "fuzz_targets", "fuzz_thing")
        (build / "build.ninja").write_text("".join(f"build {target}: phony\n" for target in targets))
        fuzzer = build / "fuzz_thing"
        find = "for option; do case $option in -artifact_prefix=*) work=${option#*=};; esac; done"
        fuzzer.write_text(f"#!/bin/bash\n{find}\n{program}\n")
        fuzzer.chmod(0o755)
        (build / "fuzz-targets" / "thing").write_text(f"{fuzzer}\n{root}/tests/corpus/thing\n")
        (root / "packages.txt").write_text("")
        return self.run_script("fuzz", *options, root=root, TWOFOLD_PACKAGES=str(root / "packages.txt"))

    def test_targets_are_listed(self) -> None:
        self.assertEqual(self.fuzz("exit 0", "--list").stdout, "thing\n")

    def test_a_quiet_target_passes(self) -> None:
        done = self.fuzz("echo 'stat::number_of_executed_units: 12'", "--all", "--time", "1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"thing +ok, 12 inputs in 1 s")

    def test_a_crash_says_how_it_becomes_a_test(self) -> None:
        done = self.fuzz("echo x >$work/crash-1234; echo 'SUMMARY: broke'; exit 77", "thing")
        self.assertEqual(done.returncode, 1)
        self.assertIn("SUMMARY: broke", done.stdout)
        again = "build/fuzz/fuzz_thing build/fuzz/work/thing/crash-1234"
        self.assertRegex(done.stdout, r"thing +FAILED on an input; again: " + again)
        self.assertIn("cp build/fuzz/work/thing/crash-1234 tests/corpus/thing/", done.stdout)

    def test_a_target_that_does_not_start_fails(self) -> None:
        done = self.fuzz("echo no such library; exit 127", "--all")
        self.assertEqual(done.returncode, 1)
        self.assertIn("FAILED without an input", done.stdout)

    def test_an_unknown_target_names_the_nearest(self) -> None:
        self.assert_refused(self.fuzz("exit 0", "things"), 64, "unknown target 'things'", "did you mean 'thing'?")


if __name__ == "__main__":
    unittest.main()
