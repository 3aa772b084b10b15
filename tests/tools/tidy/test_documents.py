"""The rules `documents` and `generated`, the commands that documents promise, and the diagrams in them."""

import contextlib
import io
import json
import os
import unittest

from tests.tools.tidy.fixture import TreeTest
from tools import command_pages, diagrams
from tools.tidy import commands, markdown
from tools.tidy.rules import documents, generated
from tools.tidy.tree import NeedsBuild

HELP = "#!/bin/sh\necho 'Usage'\necho '  help   list the verbs'\necho '  run    start it'\n"
STARTUP = {
    "command": "startup",
    "output": [
        {"step": "memory", "requires": ""},
        {"step": "trace", "requires": "memory"},
        {"step": "shell", "requires": "memory trace"},
    ],
    "status": 0,
}


def put_kernel(test: TreeTest, answer: dict) -> None:
    """Gives the tree a kernel that always answers that."""
    test.write({command_pages.KERNEL: f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n"})
    os.chmod(test.root / command_pages.KERNEL, 0o755)


class Documents(TreeTest):
    def entry(self) -> None:
        self.write({"twofold": HELP})
        os.chmod(self.root / "twofold", 0o755)

    def test_links_that_lead_somewhere(self):
        files = {
            "README.md": "[a](docs/a.md) [b](docs/a.md#the-life-of-a-boot) [c](https://x.org/y)\n"
            "[d](docs) [e](#here) `[f](code.md)`\n## Here\n```\n[g](fence.md)\n```\n",
            "docs/a.md": "# The life of a boot\n[up](../README.md)\n",
        }
        self.assert_clean(self.check(documents, files))

    def test_broken_links(self):
        text = "[a](gone.md)\n[b](docs/a.md#gone)\n[c](../outside.md)\n[d]: gone-too.md\n"
        found = self.check(documents, {"README.md": text, "docs/a.md": "# A\n"})
        self.assert_finding(found, "README.md", "gone.md leads nowhere", line=1)
        self.assert_finding(found, "README.md", "docs/a.md has no heading #gone", line=2)
        self.assert_finding(found, "README.md", "leads out of the tree", line=3)
        self.assert_finding(found, "README.md", "gone-too.md leads nowhere", line=4)

    def test_commands(self):
        self.entry()
        good = "```sh\n./twofold run --cpus 2  # two\n./twofold help\nls\n```\n"
        self.assert_clean(self.check(documents, {"README.md": good}))
        found = self.check(documents, {"README.md": "# A\n```sh\n./twofold fly\n```\n"})
        self.assert_finding(found, "README.md", "no verb fly", line=3)

    def test_a_promise_that_would_run_the_tests_again(self):
        self.entry()
        found = self.check(documents, {"README.md": "```sh test\n./twofold test\n```\n"})
        self.assert_finding(found, "README.md", "inside themselves", line=2)

    def test_without_the_entry_script_it_fails(self):
        with self.assertRaises(NeedsBuild):
            self.check(documents, {"README.md": "```sh\n./twofold run\n```\n"})


class Generated(TreeTest):
    def test_generated_parts(self):
        text = "# A\n<!-- generated:include-graph -->\nold\n<!-- /generated -->\nafter\n"
        files = {
            "docs/a.md": text,
            "core/base/base.hpp": "// base\n",
            "core/acpi/a.cpp": '#include "core/base/base.hpp"\n',
        }
        found = self.check(generated, files)
        self.assert_finding(found, "docs/a.md", "include-graph is out of date", line=2)
        generated.fix(self.tree())
        self.assert_clean(generated.check(self.tree()))
        fixed = (self.root / "docs/a.md").read_text()
        self.assertIn("acpi --> base", fixed)
        self.assertTrue(fixed.endswith("<!-- /generated -->\nafter\n"))
        self.assertNotIn("old", fixed)

    def test_generated_parts_that_are_wrong(self):
        text = "<!-- generated:gone -->\n<!-- /generated -->\n<!-- generated:include-graph -->\n"
        found = self.check(generated, {"docs/a.md": text})
        self.assert_finding(found, "docs/a.md", "nobody generates gone", line=1)
        self.assert_finding(found, "docs/a.md", "is not closed")


class CommandPages(TreeTest):
    """The rule with a registry of three commands."""

    ROWS = [
        {"group": "machine", "command": "mem", "arguments": "", "summary": "sums up"},
        {"group": "filters", "command": "head", "arguments": "[ROWS]", "summary": "keeps rows"},
        {"group": "filters", "command": "where", "arguments": "OP", "summary": "keeps more"},
        {
            "command": "head",
            "argument": "ROWS",
            "kind": "number",
            "count": "optional",
            "choices": "",
            "meaning": "how many",
        },
        {
            "command": "where",
            "argument": "OP",
            "kind": "choice",
            "count": "one",
            "choices": "= |",
            "meaning": "a | or not",
        },
        {"command": "head", "example": "mem | head 3", "shows": "three"},
    ]

    def entry(self, rows: list[dict[str, str]]) -> None:
        put_kernel(self, {"command": "commands", "output": rows, "status": 0})

    def page(self, part: str) -> str:
        return f"# A\n<!-- generated:{part} -->\n<!-- /generated -->\n"

    def test_a_page_is_made_and_kept(self):
        self.entry(self.ROWS)
        self.write({"docs/f.md": self.page("commands-filters")})
        self.assert_finding(generated.check(self.tree()), "docs/f.md", "out of date", line=2)
        generated.fix(self.tree())
        text = (self.root / "docs/f.md").read_text()
        self.assert_clean(generated.check(self.tree()))
        self.assertIn("## head\n\nKeeps rows.\n\n```\nhead [ROWS]\n```\n", text)
        self.assertIn("| `ROWS` | how many | a number; may be left out |\n", text)
        self.assertIn("| `OP` | a \\| or not | one of `=` `\\|` |\n", text)
        self.assertIn("- `mem | head 3`: three\n", text)
        self.assertNotIn("## mem", text)

    def test_a_changed_page_is_found_and_mended(self):
        self.entry(self.ROWS)
        self.write({"docs/f.md": self.page("commands-filters")})
        generated.fix(self.tree())
        made = (self.root / "docs/f.md").read_text()
        (self.root / "docs/f.md").write_text(made.replace("three", "four"))
        found = generated.check(self.tree())
        self.assert_finding(found, "docs/f.md", "commands-filters is out of date", line=2)
        generated.fix(self.tree())
        self.assertEqual(made, (self.root / "docs/f.md").read_text())

    def test_a_group_that_is_new_or_gone(self):
        self.entry(self.ROWS)
        pages = {"docs/commands.md": self.page("commands"), "docs/g.md": self.page("commands-gone")}
        self.assert_finding(self.check(generated, pages), "docs/g.md", "nobody generates commands-gone")
        generated.fix(self.tree())
        index = (self.root / "docs/commands.md").read_text()
        self.assertIn("| [head](commands/filters.md#head) | `[ROWS]` | keeps rows |", index)
        found = documents.check(self.tree())
        self.assert_finding(found, "docs/commands.md", "commands/machine.md leads nowhere")

    def test_a_kernel_that_declares_nothing_understandable(self):
        self.entry([{"text": "unknown command 'commands'"}])
        with self.assertRaisesRegex(NeedsBuild, "cmake --build --preset release"):
            command_pages.registry(self.tree())
        with self.assertRaisesRegex(ValueError, "a row of no table"):
            command_pages.registry_of([{"command": "x", "text": "y"}])


class Commands(TreeTest):
    TEXT = "```sh\nfalse\n```\n```sh test\n# a comment\necho one \\\n  two\n\n$ true\n```\n"

    def run_main(self, *arguments: str) -> tuple[int, str]:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = commands.main(["--root", str(self.root), *arguments])
        return status, output.getvalue()

    def test_which_commands_are_seen(self):
        self.assertEqual(
            [(2, "false"), (6, "echo one two"), (9, "true")],
            [(line, " ".join(command.split())) for line, command in markdown.commands(self.TEXT)],
        )
        self.assertEqual(2, len(markdown.commands(self.TEXT, marked="test")))

    def test_promises_that_hold(self):
        self.write({"README.md": self.TEXT})
        status, output = self.run_main("--run")
        self.assertEqual(0, status)
        self.assertIn("documents: 2 commands, 0 failed", output)

    def test_a_promise_that_is_broken(self):
        self.write({"README.md": "```sh test\necho seen; exit 3\n```\n"})
        status, output = self.run_main("--run")
        self.assertEqual(1, status)
        self.assertIn("README.md:2: FAILED", output)
        self.assertIn("status 3\nseen", output)

    def test_a_promise_that_hangs(self):
        self.write({"README.md": "```sh test\nsleep 60 | cat\n```\n"})
        status, output = self.run_main("--run", "--timeout", "0.2")
        self.assertEqual(1, status)
        self.assertIn("still running after 0.2 s", output)

    def test_list(self):
        self.write({"README.md": self.TEXT})
        self.assertIn("README.md:2: false", self.run_main("--list")[1])


class Diagrams(TreeTest):
    def test_start_up(self):
        drawn = diagrams.startup_from("noise\n" + json.dumps(STARTUP) + "\n")
        self.assertIn("flowchart LR", drawn)
        self.assertIn("memory --> trace", drawn)
        self.assertIn("trace --> shell", drawn)
        self.assertNotIn("memory --> shell", drawn, "implied by the longer path")

    def test_start_up_that_makes_no_sense(self):
        with self.assertRaises(ValueError):
            diagrams.startup_from(
                '{"command": "startup", "output": [{"step": "a", "requires": "gone"}]}'
            )
        with self.assertRaises(StopIteration):
            diagrams.startup_from("the kernel panicked\n")

    def test_start_up_without_a_kernel(self):
        with self.assertRaisesRegex(NeedsBuild, "cmake --build --preset release"):
            diagrams.startup_graph(self.tree())

    def test_start_up_from_a_kernel(self):
        put_kernel(self, STARTUP)
        self.assertIn("trace --> shell", diagrams.startup_graph(self.tree()))

    def test_rules_are_listed(self):
        self.assertIn("- `ladder`: ", diagrams.tidy_rules(self.tree()))


if __name__ == "__main__":
    unittest.main()
