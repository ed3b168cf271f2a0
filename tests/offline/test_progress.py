"""What a run shows while it works: on a terminal, in a notebook, in a pipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bentoml.offline.progress import Progress

ROWS = 1000


def command(bundle: Path, folder: Path) -> list[str]:
    lines = [f"{row},{row / 4}" for row in range(ROWS)]
    (folder / "in.csv").write_text("\n".join(["a,b", *lines]))
    return [
        *(sys.executable, "-m", "bentoml", "run", str(bundle), "no_sevens", "--batch-size", "100"),
        *("--input-file", str(folder / "in.csv"), "--output-file", str(folder / "out.csv")),
    ]


def test_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bentoml.offline.bars.LINE_EVERY_S", 0.0)
    with Progress(200) as progress:
        progress.advance(25, 1, None)
        assert " left" not in capsys.readouterr().err  # nobody knows yet
        progress.advance(25, 1, None)
    line = capsys.readouterr().err
    assert line.startswith("50 rows (25 %), ")
    assert "rows/s" in line
    assert line.endswith(" left, 2 failed\n")
    assert "\x1b" not in line


def test_a_pipe_gets_no_control_characters(bundle: Path, tmp_path: Path) -> None:
    done = subprocess.run(command(bundle, tmp_path), capture_output=True, text=True, timeout=240)
    assert done.returncode == 1  # rows failed
    assert done.stdout == ""
    assert "\x1b" not in done.stderr and "\r" not in done.stderr
    assert re.search(r"^1,000 rows in .* rows/s\), 100 failed \(see .*", done.stderr, re.MULTILINE)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("width", [100, 40])
def test_a_terminal_gets_a_bar_of_one_line_that_goes_away(width: int, bundle: Path, tmp_path: Path) -> None:
    screen = on_terminal(command(bundle, tmp_path), width)
    drawn, _, after = screen.rpartition("\x1b[2K")  # the last line that was erased
    states = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text) for text in drawn.split("\x1b[2K")]
    bars = [state.replace("\r", "") for state in states if " rows (" in state]
    assert bars, screen
    assert "━" in bars[0] or width < 100, screen  # a narrow terminal has room for the words only
    assert all(len(bar.strip("\n")) <= width and "\n" not in bar.strip() for bar in bars), bars
    assert bars[-1].lstrip("━╸╺ ").startswith("1,000 rows (100 %)")
    shares = [int(found[1]) for bar in bars if (found := re.search(r"\((\d+) %\)", bar))]
    assert shares == sorted(shares)
    assert "1,000 rows in " in after and "100 failed" in after
    assert "━" not in after


def on_terminal(argv: list[str], width: int) -> str:
    """All that a program writes to a terminal of `width` columns."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "CI")}
    environment["TERM"] = "xterm-256color"
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    try:
        while data := os.read(ours, 1 << 16):
            written += data
    except OSError:  # how Linux says that nobody has the terminal open any more
        pass
    os.close(ours)
    process.wait(60)
    return written.decode()


NOTEBOOK = """
import pandas
from bentoml import offline
done = offline.run({bundle!r}, "no_sevens", pandas.DataFrame({{"a": range(1000), "b": 0.25}}), batch_size=100)
print(done)
done.table.to_pandas().head(3)
"""


def test_a_notebook_gets_one_output_that_changes_and_a_table(bundle: Path, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    import nbformat

    cell = nbformat.v4.new_code_cell(NOTEBOOK.format(bundle=str(bundle)))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    client = nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = [output for output in cell.outputs if output.output_type == "display_data"]
    assert len(shown) == 1, cell.outputs
    assert re.fullmatch(r"█{40} 1,000 rows \(100 %\), .* rows/s, 100 failed", shown[0].data["text/plain"])
    printed = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
    assert printed.startswith("1,000 rows in ")
    [result] = [output for output in cell.outputs if output.output_type == "execute_result"]
    assert "prediction" in result.data["text/html"]
