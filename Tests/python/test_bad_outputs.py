"""Outputs that cannot or must not be written: found out before or after the work, and no piece is left behind."""

import os
import resource
import shutil
import subprocess

import pytest

from bad_files import F32, GOOD, entry, external, make_onnx, make_safetensors, make_tensor, write_shards
from conftest import ARGUMENT, COMMAND, DATA, RESOURCE, limited_memory


@pytest.fixture
def model(tmp_path):
    (tmp_path / "m.onnx").write_bytes(make_onnx())
    return "m.onnx"


class TestOutput:
    """Each of these finds out before or after the work, but never leaves a piece behind."""

    def test_is_the_input(self, refused, model, tmp_path):
        os.link(tmp_path / model, tmp_path / "hard.onnx")
        os.symlink(model, tmp_path / "soft.onnx")
        for target in (model, "./" + model, "hard.onnx", "soft.onnx"):
            for force in ([], ["--force"]):
                refused(ARGUMENT, "prune", model, "-o", target, "--sparsity", "0.5", *force, says=["input"])

    def test_is_a_data_file_of_the_input(self, refused, tmp_path):
        (tmp_path / "m.onnx").write_bytes(external(location="w.bin"))
        (tmp_path / "w.bin").write_bytes(F32)
        refused(ARGUMENT, "prune", "m.onnx", "-o", "w.bin", "--sparsity", "0.5", "--force", says=["w.bin"])

    def test_is_the_folder_of_the_input(self, refused, tmp_path):
        (tmp_path / "m").mkdir()
        write_shards(tmp_path / "m", GOOD)
        for force in ([], ["--force"]):
            refused(ARGUMENT, "prune", "m", "-o", "m/", "--sparsity", "0.5", *force)

    def test_exists(self, refused, command, model, tmp_path):
        (tmp_path / "out.onnx").write_bytes(b"precious")
        words = ["prune", model, "-o", "out.onnx", "--sparsity", "0.5"]
        refused(RESOURCE, *words, says=["out.onnx", "exists", "--force"])
        assert command(*words, "--force", cwd=tmp_path).returncode == 0
        assert (tmp_path / "out.onnx").read_bytes() != b"precious"

    def test_is_a_folder(self, refused, model, tmp_path):
        (tmp_path / "out.onnx").mkdir()
        refused(ARGUMENT, "prune", model, "-o", "out.onnx", "--sparsity", "0.5", "--force", says=["folder"])

    def test_is_a_folder_of_something_else(self, refused, tmp_path):
        """A mistyped folder must not cost other files, --force or not."""
        (tmp_path / "m").mkdir()
        write_shards(tmp_path / "m", GOOD)
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos/1.jpg").write_bytes(b"precious")
        for force in ([], ["--force"]):
            done = refused(
                RESOURCE if not force else ARGUMENT, "prune", "m", "-o", "photos", "--sparsity", "0.5", *force
            )
            assert "photos" in done

    def test_has_no_folder(self, refused, model):
        refused(ARGUMENT, "prune", model, "-o", "no/where/out.onnx", "--sparsity", "0.5", says=["no/where"])

    def test_lies_below_a_file(self, refused, model):
        refused(ARGUMENT, "prune", model, "-o", "m.onnx/out.onnx", "--sparsity", "0.5", says=["m.onnx"])

    def test_has_a_name_that_is_too_long(self, refused, model):
        refused(RESOURCE, "prune", model, "-o", "x" * 300 + ".onnx", "--sparsity", "0.5")

    def test_name_of_the_longest_kind(self, command, model, tmp_path):
        """255 bytes are allowed, so the temporary name must not be longer."""
        for name in ("x" * 250 + ".onnx", "ü" * 125 + ".onnx", "🙂" * 62 + ".onnx"):
            done = command("prune", model, "-o", name, "--sparsity", "0.5", cwd=tmp_path)
            assert done.returncode == 0, done.stderr

    def test_two_outputs_of_one_name(self, refused, model):
        for other in ("--mask-out", "--report"):
            refused(ARGUMENT, "prune", model, "-o", "out", other, "out", "--sparsity", "0.5", says=["out"])
            refused(ARGUMENT, "prune", model, "-o", "out", other, "./out", "--sparsity", "0.5", says=["out"])

    def test_second_output_cannot_be_written(self, refused, model, tmp_path):
        """The model is not written either."""
        (tmp_path / "old").write_bytes(b"precious")
        for other in ("--mask-out", "--report"):
            words = ["prune", model, "-o", "out.onnx", "--sparsity", "0.5", other]
            refused(ARGUMENT, *words, "no/where", says=["no"])
            refused(RESOURCE, *words, "old", says=["old", "exists"])

    def test_is_in_a_read_only_folder(self, refused, model, tmp_path):
        with read_only(tmp_path / "locked"):
            refused(
                RESOURCE, "prune", model, "-o", "locked/out.onnx", "--sparsity", "0.5", says=["locked/out.onnx"],
                watch=tmp_path / "locked",
            )  # fmt: skip

    def test_is_on_a_full_disk(self, refused, tmp_path):
        """Too large for what is free: found out before anything is written."""
        big = make_safetensors({"a.weight": entry(shape=(256, 256), offsets=(0, 262144))}, bytes(262144))
        (tmp_path / "m.safetensors").write_bytes(big)
        with small_disk(tmp_path / "disk"):
            refused(
                RESOURCE, "prune", "m.safetensors", "-o", "disk/out.safetensors", "--sparsity", "0.5",
                says=["disk/out.safetensors", "space"], watch=tmp_path / "disk",
            )  # fmt: skip

    @pytest.mark.parametrize("limit", [0, 100, 200_000])
    def test_grows_over_a_limit(self, refused, tmp_path, limit):
        """The write itself fails half-way, as on a disk that fills up meanwhile."""
        big = make_safetensors({"a.weight": entry(shape=(256, 256), offsets=(0, 262144))}, bytes(262144))
        (tmp_path / "m.safetensors").write_bytes(big)
        refused(
            RESOURCE, "prune", "m.safetensors", "-o", "out.safetensors", "--sparsity", "0.5", "--mask-out", "mask",
            says=["out.safetensors"], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )  # fmt: skip

    @pytest.mark.parametrize("limit", [100, 200_000])
    def test_folder_grows_over_a_limit(self, refused, tmp_path, limit):
        (tmp_path / "m").mkdir()
        big = make_safetensors({"a.weight": entry(shape=(256, 256), offsets=(0, 262144))}, bytes(262144))
        (tmp_path / "m/model.safetensors").write_bytes(big)
        (tmp_path / "m/config.json").write_text("{}")
        refused(
            RESOURCE, "prune", "m", "-o", "out", "--sparsity", "0.5",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )  # fmt: skip

    def test_memory_is_short(self, tmp_path):
        """A header that claims much must not be believed before it is checked."""
        huge = make_onnx([make_tensor(dims=(1 << 30, 4), data=b"")])
        (tmp_path / "m.onnx").write_bytes(huge)
        limit = limited_memory(1 << 30)
        done = subprocess.run(
            [COMMAND, "inspect", "m.onnx"], cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit
        )
        assert done.returncode == DATA, done


class mounted:
    """A file system of its own in a folder; skips where this user may not mount one."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options

    def __enter__(self):
        self.folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", self.options, "tmpfs", str(self.folder)]
        if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(words, capture_output=True).returncode:
            pytest.skip("needs the right to mount a tmpfs")
        return self.folder

    def __exit__(self, *_):
        subprocess.run(["umount", str(self.folder)], check=True)


def small_disk(folder):
    return mounted(folder, "size=64k")


class read_only:
    """A folder without the right to write: by permissions, or for root, whom they do not stop, by a read-only mount."""

    def __init__(self, folder):
        self.folder = folder
        self.mount = mounted(folder, "size=64k,ro") if os.geteuid() == 0 else None

    def __enter__(self):
        if self.mount:
            return self.mount.__enter__()
        self.folder.mkdir()
        self.folder.chmod(0o555)

    def __exit__(self, *reason):
        if self.mount:
            return self.mount.__exit__(*reason)
        self.folder.chmod(0o755)
