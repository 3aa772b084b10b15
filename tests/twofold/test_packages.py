"""doctor and setup: what is found, what is missing, and the line that installs it."""

import os
import pathlib
import stat
import sys
import unittest

sys.path.insert(0, __file__.rpartition("/")[0])
from twofold_test import ROOT, ScriptTest  # noqa: E402

SYSTEM_TOOLS = "bash sed cut cat env readlink dirname basename id stat mkdir tail rm flock".split()


class Packages(ScriptTest):
    def tool(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{os.path.realpath('/bin/bash')}\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def path(self) -> str:
        """A PATH with the base system's tools that the script itself uses, and ours."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        for name in SYSTEM_TOOLS:
            for place in ("/usr/bin", "/bin"):
                if pathlib.Path(place, name).exists() and not (folder / name).exists():
                    (folder / name).symlink_to(pathlib.Path(place, name))
        return str(folder)

    def packages(self, *lines: str) -> str:
        path = self.folder / "packages.txt"
        path.write_text("# group check what least debian\n" + "\n".join(lines) + "\n")
        return str(path)

    def test_everything_is_here(self) -> None:
        done = self.run_script("doctor")
        self.assertEqual(done.returncode, 0, done.stdout)
        for program in ("g++", "cmake", "qemu-system-x86_64"):
            self.assertRegex(done.stdout, rf"(?m)^core +{program.replace('+', '.')} .* ok ")

    def test_every_line_of_the_list_is_whole(self) -> None:
        for line in (ROOT / "tools/twofold/packages.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, r"^(core|bench|test) +(program|file) +\S+ +([0-9.]+|-) +[a-z0-9+.-]+( +\S+)?$")

    def test_doctor_with_an_empty_path_lists_all_as_missing(self) -> None:
        done = self.run_script("doctor", PATH=self.path())
        self.assertEqual(done.returncode, 69)
        self.assertRegex(done.stdout, r"(?m)^core +g\+\+ +- +12 +missing +g\+\+$")
        self.assertRegex(done.stdout, r"apt-get install --no-install-recommends -y .*cmake")

    def test_an_old_tool_is_not_enough(self) -> None:
        self.tool("shiny", "echo shiny 1.9.12")
        packages = self.packages("core program shiny 1.10 shiny-tools")
        done = self.run_script("doctor", PATH=self.path(), TWOFOLD_PACKAGES=packages)
        self.assertEqual(done.returncode, 69)
        self.assertRegex(done.stdout, r"shiny +1\.9\.12 +1\.10 +old +shiny-tools")

    def test_versions_compare_as_numbers(self) -> None:
        self.tool("shiny", "echo shiny version 10.02")
        for least, status in (("9.9", 0), ("10", 0), ("10.2", 0), ("10.2.1", 69), ("10.3", 69), ("11", 69)):
            packages = self.packages(f"core program shiny {least} shiny-tools")
            done = self.run_script("doctor", PATH=self.path(), TWOFOLD_PACKAGES=packages)
            self.assertEqual(done.returncode, status, f"10.02 against {least}")

    def test_what_only_bench_needs_does_not_count(self) -> None:
        packages = self.packages("bench file /nonexistent/header - libpeer-dev")
        done = self.run_script("doctor", TWOFOLD_PACKAGES=packages)
        self.assertEqual(done.returncode, 0)
        self.assertIn("install --no-install-recommends -y libpeer-dev", done.stdout)

    def test_a_verb_names_what_is_missing(self) -> None:
        packages = self.packages("core file /nonexistent/a - liba-dev", "core program nonesuch 1 nonesuch")
        done = self.run_script("run", root=self.copy(), TWOFOLD_PACKAGES=packages, TWOFOLD_NO_INSTALL="1")
        self.assert_refused(done, 69, "missing: liba-dev nonesuch", "-y liba-dev nonesuch")

    def test_setup_installs_and_checks_again(self) -> None:
        header = self.folder / "header"
        self.tool("apt-get", f'echo "$@" >>{self.folder}/apt.log; [[ $* != *install* ]] || echo >{header}')
        self.tool("sudo", 'exec "$@"')
        packages = self.packages(f"core file {header} - libheader-dev")
        done = self.run_script("setup", root=self.copy(), PATH=self.path(), TWOFOLD_PACKAGES=packages)
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = (self.folder / "apt.log").read_text().splitlines()
        self.assertEqual(calls, ["-q update", "-q install --no-install-recommends -y libheader-dev"])

    def test_an_installation_that_changes_nothing_is_an_error(self) -> None:
        self.tool("apt-get", "exit 0")
        self.tool("sudo", 'exec "$@"')
        packages = self.packages("core file /nonexistent/header - libheader-dev")
        done = self.run_script("setup", root=self.copy(), PATH=self.path(), TWOFOLD_PACKAGES=packages)
        self.assertEqual(done.returncode, 69)
        self.assertIn("too old or incomplete: libheader-dev", done.stderr)

    def test_a_failed_installation_shows_the_reason_and_the_line(self) -> None:
        self.tool("apt-get", "echo E: no network; exit 100")
        self.tool("sudo", 'exec "$@"')
        packages = self.packages("core file /nonexistent/header - libheader-dev")
        done = self.run_script("setup", root=self.copy(), PATH=self.path(), TWOFOLD_PACKAGES=packages)
        self.assertEqual(done.returncode, 69)
        self.assertIn("E: no network", done.stderr)
        self.assertIn("apt-get install --no-install-recommends -y libheader-dev", done.stderr)

    def test_without_apt_nothing_is_tried(self) -> None:
        packages = self.packages("core file /nonexistent/header - libheader-dev")
        done = self.run_script("setup", root=self.copy(), PATH=self.path(), TWOFOLD_PACKAGES=packages)
        self.assert_refused(done, 69, "no apt-get", "./twofold doctor")


if __name__ == "__main__":
    unittest.main()
