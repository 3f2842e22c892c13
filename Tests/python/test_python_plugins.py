"""Contexts, plugins and their schemas."""

import inspect
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from python_support import ROOT, weights

import pare


@pytest.fixture
def context():
    return pare.Context()


def test_listing():
    found = pare.plugins()
    assert {"magnitude", "uniform", "global", "erk", "sparsity"} <= {plugin.id for plugin in found}
    assert [p.id for p in pare.plugins("criterion")] == sorted(p.id for p in pare.plugins("criterion"))
    assert {plugin.kind for plugin in pare.plugins("allocator")} == {"allocator"}
    for plugin in found:
        assert plugin.summary and plugin.version and plugin.license


def test_magnitude_schema():
    plugin = pare.plugin("magnitude")
    (option,) = plugin.options
    assert (option.key, option.type, option.default, option.choices) == ("norm", "choice", "l2", ("l1", "l2"))
    assert "deterministic" in plugin.flags and plugin.needs == ("weight",)
    assert str(inspect.signature(plugin)) == "(*, norm: str = 'l2') -> pare.plugins.Choice"
    function = pare.criteria.magnitude
    assert inspect.signature(function) == inspect.signature(plugin) and function.__name__ == "magnitude"
    assert "arXiv:1506.02626" in function.__doc__
    assert "norm (choice, one of 'l1', 'l2', default 'l2')" in function.__doc__
    assert repr(function(norm="l1")) == "magnitude(norm='l1')"
    with pytest.raises(TypeError):
        function(nrm="l1")
    with pytest.raises(AttributeError, match="magnitude"):
        pare.criteria.magnitud
    assert "magnitude" in dir(pare.criteria) and "erk" in repr(pare.allocators)


@pytest.mark.parametrize("plugin", pare.plugins(), ids=lambda plugin: f"{plugin.kind}-{plugin.id}")
def test_every_schema_is_documented(plugin):
    signature = inspect.signature(plugin.function())
    assert list(signature.parameters) == [option.keyword for option in plugin.options]
    for option in plugin.options:
        assert option.help and f"    {option.keyword} (" in plugin.doc
        if not option.required:
            parameter = signature.parameters[option.keyword]
            assert parameter.default == option.default
            if option.type in ("int", "float"):
                assert isinstance(option.default, (int, float)) and option.minimum <= option.default <= option.maximum


def test_defaults_given_explicitly_change_nothing():
    array = weights(16, 32)
    for plugin in pare.plugins("criterion"):
        if plugin.needs in ((), ("weight",)) and plugin.path:
            defaults = {option.keyword: option.default for option in plugin.options if not option.required}
            pattern = "row" if "row" in plugin.granularities else None
            explicit = pare.score(plugin(**defaults), array, pattern)
            assert np.array_equal(explicit, pare.score(plugin.id, array, pattern), equal_nan=True)


def test_broken_plugins_are_reported(tmp_path):
    (tmp_path / "broken.pare").write_bytes(b"not a library")
    with pytest.warns(pare.PluginWarning, match="broken.pare"):
        context = pare.Context(plugin_path=[tmp_path])
    assert len(context.problems) == 1 and context.plugins() == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pare.Context(plugin_path="").plugins() == []
    with pytest.raises(pare.ArgumentError):
        pare.Context(threads=-1)


def test_load_one_plugin():
    path = pare.plugin("magnitude").path
    context = pare.Context(plugin_path="")
    context.load(path)
    context.load(path)
    assert [plugin.id for plugin in context.plugins()] == ["magnitude"]
    with pytest.raises(pare.NotFoundError):
        context.load("/no/such/plugin.pare")


def test_plain_function(context):
    description = {
        "id": "absolute",
        "summary": "|w|",
        "library": "libm.so.6",
        "function": "fabsf",
    }
    with pytest.raises(pare.PareError):
        context.register_function({**description, "library": "/no/such/library.so"})
    with pytest.raises(pare.PareError):
        context.register_function("{not json")


def test_missing_library_says_where_it_looked(tmp_path):
    environment = dict(os.environ, PARE_LIBRARY=str(tmp_path / "libpare.so"), PYTHONPATH=os.pathsep.join(sys.path))
    run = subprocess.run([sys.executable, "-c", "import pare"], env=environment, capture_output=True, text=True)
    assert run.returncode == 1 and "ImportError" in run.stderr and str(tmp_path / "libpare.so") in run.stderr
    assert "make build" in run.stderr
    (tmp_path / "libpare.so").write_bytes(b"\x7fELF")
    run = subprocess.run([sys.executable, "-c", "import pare"], env=environment, capture_output=True, text=True)
    assert "ImportError" in run.stderr and "cannot be loaded" in run.stderr


def test_version():
    text = (ROOT / "python" / "pyproject.toml").read_text()
    assert f'version = "{pare.__version__}"' in text
