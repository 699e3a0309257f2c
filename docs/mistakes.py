"""Make each mistake of docs/mistakes.md, and write its message into that page.

    python docs/mistakes.py

The page is the source. Its first block of code is common to all mistakes, and each further block
is one mistake. The text after it is the message, which this script replaces.
"""

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")
BLOCK = re.compile(r"```(python|bash)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
VERSIONS = re.compile(r"(?<=others depend on ).+(?=\.$)", re.MULTILINE)
WRAPPER = textwrap.TextWrapper(100, break_long_words=False, break_on_hyphens=False)


@dataclass(frozen=True)
class Mistake:
    """A block of code of the page, in a language, with the message below it."""

    language: str
    code: str
    message: str

    @classmethod
    def read(cls, page):
        """Return the common block and the mistakes of a page."""
        common, *mistakes = (cls(*match) for match in BLOCK.findall(page))
        return common, mistakes

    def make(self, names):
        """Run the code with these names, and return its warnings and its error as text."""
        lines = shell_error(self.code) if self.language == "bash" else complaints(self.code, names)
        return "".join(f"{WRAPPER.fill(steady(line))}\n" for line in dict.fromkeys(lines))


def steady(line):
    """Replace what differs from process to process: addresses, and the order of sets."""
    line = re.sub(r" at 0x\w+", " at 0x...", line)
    return re.sub(
        r"(?<=\{)'[^{}:]+'(?=\})", lambda items: ", ".join(sorted(items[0].split(", "))), line
    )


def versions():
    """Return the versions of the packages that write some of the messages."""
    found = {name: version(name).split(".") for name in ("scikit-learn", "pandas", "keras")}
    return ", ".join(f"{name} {'.'.join(parts[:2])}" for name, parts in found.items())


def complaints(code, names):
    """Return the warnings of some code, and its error if it raises one."""
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Keras and TensorFlow themselves, on NumPy 2.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        try:
            exec(compile(code, PAGE.name, "exec"), dict(names))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return [f"{each.category.__name__}: {each.message}" for each in caught] + found


def shell_error(code):
    """Return the last line that a command writes to standard error; Python is this process's."""
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = os.environ | {"PATH": os.pathsep.join(paths), "PYTHONPATH": str(PAGE.parents[1])}
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, env=environment)
    return done.stderr.strip().splitlines()[-1:]


def names_of(common):
    """Run the common block, and return its names."""
    names = {"__name__": "mistakes"}
    exec(compile(common.code, PAGE.name, "exec"), names)
    return names


def main():
    """Replace the messages of the page."""
    page = PAGE.read_text()
    common, mistakes = Mistake.read(page)
    folder = Path.cwd()
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        names = names_of(common)
        messages = [mistake.make(names) for mistake in mistakes]
        os.chdir(folder)
    parts = iter([None, *zip(mistakes, messages, strict=True)])

    def with_message(match):
        part = next(parts)
        if part is None:
            return match[0]
        mistake, message = part
        return f"```{mistake.language}\n{mistake.code}```\n\n```text\n{message}```\n"

    PAGE.write_text(VERSIONS.sub(versions(), BLOCK.sub(with_message, page)))
    print(f"{len(mistakes)} mistakes, {messages.count('')} without a message")


if __name__ == "__main__":
    main()
