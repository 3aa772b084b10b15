"""tools/port.sh: sources are taken only when they are what the recipe names."""

import hashlib
import os
import pathlib
import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, __file__.rpartition("/")[0])
from twofold_test import ROOT, ScriptTest  # noqa: E402

CODE = b"int answer(void) { return 42; }\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Ports(ScriptTest):
    def setUp(self) -> None:
        super().setUp()
        source = self.folder / "thing-1.0" / "src"
        source.mkdir(parents=True)
        (source / "thing.c").write_bytes(CODE)
        self.archive = self.folder / "thing_1.0.orig.tar.gz"
        with tarfile.open(self.archive, "w:gz") as archive:
            archive.add(self.folder / "thing-1.0", "thing-1.0")
        self.target = self.folder / "ports"

    def recipe(self, **changed: str) -> pathlib.Path:
        facts = {
            "name": "thing",
            "version": "1.0-1",
            "package": "thing-that-no-distribution-has",
            "archive": f"thing_1.0.orig.tar.gz {sha256(self.archive.read_bytes())}",
            "folder": "thing-1.0",
            "file": f"src/thing.c {sha256(CODE)}",
        } | changed
        path = self.folder / "thing.port"
        path.write_text("".join(f"{key} {value}\n" for key, value in facts.items() if value))
        return path

    def port(self, recipe: pathlib.Path, *given: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "tools/port.sh", recipe, self.target, *map(str, given)],
            env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def unpacked(self) -> pathlib.Path:
        return self.target / "thing-1.0" / "src" / "thing.c"

    def test_an_archive_is_verified_and_unpacked_once(self) -> None:
        recipe = self.recipe()
        self.assertEqual(self.port(recipe, self.archive).returncode, 0)
        self.assertEqual(self.unpacked().read_bytes(), CODE)
        before = self.unpacked().stat().st_mtime_ns
        self.assertEqual(self.port(recipe, self.archive).returncode, 0)
        self.assertEqual(self.unpacked().stat().st_mtime_ns, before)

    def test_an_archive_with_a_wrong_hash_is_refused(self) -> None:
        done = self.port(self.recipe(archive="thing_1.0.orig.tar.gz " + "0" * 64), self.archive)
        self.assert_refused(done, 65, "port thing: refused", sha256(self.archive.read_bytes()), "0" * 64)
        self.assertFalse(self.unpacked().exists())

    def test_a_truncated_archive_is_refused(self) -> None:
        recipe = self.recipe()
        self.archive.write_bytes(self.archive.read_bytes()[:-20])
        self.assert_refused(self.port(recipe, self.archive), 65, "refused")

    def test_a_file_with_a_wrong_hash_is_refused(self) -> None:
        done = self.port(self.recipe(file="src/thing.c " + "1" * 64), self.archive)
        self.assert_refused(done, 65, "refused", "src/thing.c", sha256(CODE))
        self.assertFalse(self.unpacked().exists())

    def test_a_given_folder_is_verified_too(self) -> None:
        recipe, folder = self.recipe(), self.folder / "thing-1.0"
        self.assertEqual(self.port(recipe, folder).returncode, 0)
        self.assertEqual(self.unpacked().read_bytes(), CODE)
        (folder / "src/thing.c").write_bytes(CODE + b"\n")
        self.assertEqual(self.port(recipe, folder).returncode, 0, "what was verified stays")
        self.unpacked().unlink()
        self.assert_refused(self.port(recipe, folder), 65, "refused", "src/thing.c")

    def test_sources_that_were_changed_are_brought_again(self) -> None:
        recipe = self.recipe()
        self.port(recipe, self.archive)
        self.unpacked().write_bytes(b"changed\n")
        self.assertEqual(self.port(recipe, self.archive).returncode, 0)
        self.assertEqual(self.unpacked().read_bytes(), CODE)

    def test_a_given_path_that_is_not_there(self) -> None:
        self.assert_refused(self.port(self.recipe(), "/nonexistent"), 69, "no file or folder /nonexistent")

    def test_sources_that_cannot_be_fetched_say_what_to_do(self) -> None:
        apt = self.folder / "bin" / "apt-get"
        apt.parent.mkdir()
        apt.write_text("#!/bin/bash\necho 'E: no network'\nexit 100\n")
        apt.chmod(0o755)
        done = self.port(self.recipe(), PATH=f"{apt.parent}:{os.environ['PATH']}")
        self.assertEqual(done.returncode, 69)
        self.assertIn("E: no network", done.stderr)
        self.assertIn("TWOFOLD_PORT_THING=PATH", done.stderr)
        self.assertEqual([path.name for path in self.target.iterdir()], [".thing.lock"])

    def test_a_recipe_that_is_not_whole(self) -> None:
        for key in ("name", "version", "package", "archive", "folder"):
            self.assertEqual(self.port(self.recipe(**{key: ""}), self.archive).returncode, 64, key)
        self.assert_refused(self.port(self.folder / "none.port"), 64, "there is no recipe")

    def test_the_recipes_of_the_tree_are_whole(self) -> None:
        recipes = list((ROOT / "ports").glob("*.port"))
        self.assertTrue(recipes)
        for recipe in recipes:
            facts = [line.split() for line in recipe.read_text().splitlines() if not line.startswith("#")]
            self.assertEqual(facts[0], ["name", recipe.stem])
            for fact in facts:
                if fact[0] in ("archive", "file"):
                    self.assertRegex(fact[2], r"^[0-9a-f]{64}$", f"{recipe.name}: {fact}")


if __name__ == "__main__":
    unittest.main()
