"""Plugin files that are damaged: the process and the other plugins stay."""

import shutil

import pytest
from conftest import LIBRARY, PLUGIN


@pytest.mark.parametrize("part", [0.0, 0.0002, 0.003, 0.01, 0.06, 0.5, 0.9, 0.997])
def test_cut_off(command, refused, tmp_path, part):
    """What an interrupted copy leaves: the dynamic linker would map past its end."""
    whole = LIBRARY.parent / "pare" / "fpgm.pare"
    if not whole.is_file():
        pytest.skip(f"{whole} is not built: make build")
    data = whole.read_bytes()
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "cut.pare").write_bytes(data[: int(len(data) * part)])
    refused(PLUGIN, "plugins", "--plugin", folder / "cut.pare", says=["cut.pare"])
    shutil.copy(LIBRARY.parent / "pare" / "lamp.pare", folder)
    done = command("plugins", env={"PARE_PLUGIN_PATH": str(folder), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0 and "lamp" in done.stdout and "cut.pare" in done.stderr, done
