"""Graphs of small ONNX models: whatever they hold survives, and only what was pruned changes."""

import numpy as np
import pytest

from small_models import (
    assert_halved,
    assert_unchanged_save,
    build,
    linear,
    normal,
    onnx,
    onnxruntime,
    pare,
    prune,
    pruned_names,
    run,
    stored,
    tensor,
    value,
)

from onnx import TensorProto, helper, numpy_helper


class TestGraphs:
    def test_subgraphs_keep_their_weights(self, write):
        """If with a weight inside each branch and one captured from outside, which Loop and both branches share."""
        inside, outside = normal(6, 6), normal(6, 6)
        branches = {}
        for name in ("then", "else"):
            nodes = [
                helper.make_node("MatMul", ["x", "shared"], [f"{name}_a"]),
                helper.make_node("MatMul", [f"{name}_a", f"{name}_w"], [f"{name}_y"]),
            ]
            branches[f"{name}_branch"] = helper.make_graph(
                nodes, name, [], [value(f"{name}_y", None)], [tensor(f"{name}_w", inside)]
            )
        nodes = [
            helper.make_node("If", ["condition"], ["picked"], **branches),
            helper.make_node("MatMul", ["picked", "last"], ["y"]),
        ]
        model = build(
            nodes,
            [tensor("shared", outside), tensor("last", normal(6, 6))],
            [value("x", ["N", 6]), value("condition", [], TensorProto.BOOL)],
            [value("y", ["N", 6])],
        )
        path = write(model)
        report, target = prune(path)
        assert "last" in pruned_names(report)
        after = onnx.load(str(target))
        for attribute in after.graph.node[0].attribute:
            (t,) = attribute.g.initializer
            assert numpy_helper.to_array(t).tobytes() == inside.tobytes(), "weights inside are left alone"
        x = normal(2, 6)
        for condition in (True, False):
            s = stored(target)
            expected = x @ s["shared"] @ inside @ s["last"]
            assert np.allclose(run(target, x=x, condition=np.array(condition))[0], expected, atol=1e-4)
        assert_unchanged_save(path, path.with_name("same.onnx"))

    def test_a_loop_that_shadows_a_name(self, write):
        """The body's own "w" hides the outer one: pruning the outer must not touch it."""
        inner, outer = normal(4, 4), normal(4, 4)
        body = helper.make_graph(
            [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("MatMul", ["v", "inner"], ["v2"])],
            "body",
            [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v", None)],
            [value("c2", [], TensorProto.BOOL), value("v2", None)],
            [tensor("inner", inner)],
        )
        nodes = [
            helper.make_node("Loop", ["count", "", "x"], ["turned"], body=body),
            helper.make_node("MatMul", ["turned", "w"], ["y"]),
        ]
        path = write(
            build(
                nodes,
                [tensor("count", np.array(2)), tensor("w", outer)],
                [value("x", ["N", 4])],
                [value("y", ["N", 4])],
            )
        )
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert_halved(outer, stored(target)["w"])
        x = normal(3, 4)
        assert np.allclose(run(target, x=x)[0], x @ inner @ inner @ stored(target)["w"], atol=1e-4)

    def test_unknown_operators_and_domains_survive(self, write):
        node = helper.make_node("Frobnicate", ["h", "table"], ["y"], domain="com.example", strength=3, label="ü")
        model = build(
            [helper.make_node("MatMul", ["x", "w"], ["h"]), node],
            [tensor("w", normal(6, 6)), tensor("table", normal(6, 6))],
            [value("x", ["N", 6])],
            [value("y", None)],
            domains=[helper.make_opsetid("com.example", 42)],
        )
        path = write(model, check=False)
        report, target = prune(path, check=False)
        assert pruned_names(report) == ["w"], "what an unknown operator reads is left alone"
        after = onnx.load(str(target))
        assert after.graph.node[1].SerializeToString() == node.SerializeToString()
        assert stored(target)["table"].tobytes() == stored(path)["table"].tobytes()
        del after.graph.initializer[:], model.graph.initializer[:]
        assert after == model

    def test_one_weight_of_two_convolutions(self, write):
        weight = normal(4, 4, 3, 3)
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["a", "w"], ["y"], pads=[1, 1, 1, 1]),
        ]
        shape = ["N", 4, 5, 5]
        path = write(build(nodes, [tensor("w", weight)], [value("x", shape)], [value("y", shape)]))
        report, target = prune(path)
        after = stored(target)["w"]
        if pruned_names(report):
            assert_halved(weight, after)
        else:
            assert after.tobytes() == weight.tobytes()
            assert report.layers[0].note

    def test_tied_embedding_is_left_alone(self, write):
        """Rows of the table are looked up, and its transpose is the output layer."""
        table = normal(10, 6)
        nodes = [
            helper.make_node("Gather", ["table", "ids"], ["h"]),
            helper.make_node("MatMul", ["h", "w"], ["g"]),
            helper.make_node("Transpose", ["table"], ["out"], perm=[1, 0]),
            helper.make_node("MatMul", ["g", "out"], ["y"]),
        ]
        path = write(
            build(
                nodes,
                [tensor("table", table), tensor("w", normal(6, 6))],
                [value("ids", ["N"], TensorProto.INT64)],
                [value("y", ["N", 10])],
            )
        )
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert stored(target)["table"].tobytes() == table.tobytes()
        note = next(layer.note for layer in report.layers if layer.name == "table")
        assert note, "the report says why"
        with pare.load(path) as model:
            model.prune("magnitude", 0.5, include="table")
            assert not len(model.masks), "asking for it by name does not break the tie"

    @pytest.mark.parametrize("other_use", ["a Gather in a branch", "a graph output", "an Add", "a Loop's state"])
    def test_other_uses_of_a_weight_protect_it(self, write, other_use):
        """A MatMul's weight that something else reads too is not a mere weight."""
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        inputs, outputs, tensors = [value("x", ["N", 6])], [value("y", ["N", 6])], [tensor("w", normal(6, 6))]
        if other_use == "a Gather in a branch":
            inputs += [value("condition", [], TensorProto.BOOL), value("i", [], TensorProto.INT64)]
            branches = {
                f"{name}_branch": helper.make_graph([helper.make_node(*words)], name, [], [value(words[2][0], None)])
                for name, words in (
                    ("then", ("Gather", ["w", "i"], ["t"])),
                    ("else", ("Gather", ["x", "i"], ["e"])),
                )
            }
            nodes.append(helper.make_node("If", ["condition"], ["z"], **branches))
            outputs.append(value("z", ["K"]))
        elif other_use == "a graph output":
            outputs.append(value("w", [6, 6]))
        elif other_use == "an Add":
            nodes += [helper.make_node("Add", ["y", "w"], ["z"])]
            outputs.append(value("z", [6, 6]))
        else:
            body = helper.make_graph(
                [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Relu", ["v"], ["v2"])],
                "body",
                [value("n", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v", None)],
                [value("c2", [], TensorProto.BOOL), value("v2", None)],
            )
            tensors.append(tensor("count", np.array(2)))
            nodes.append(helper.make_node("Loop", ["count", "", "w"], ["z"], body=body))
            outputs.append(value("z", [6, 6]))
        path = write(build(nodes, tensors, inputs, outputs))
        report, target = prune(path)
        assert pruned_names(report) == [], f"read by {other_use} too"
        assert report.layers[0].note
        assert target.read_bytes() == path.read_bytes()

    def test_weight_behind_a_transpose(self, write):
        """Rows of a pattern are output features even where the file stores them behind a Transpose."""
        weight = normal(8, 12)  # [out, in], used transposed
        nodes = [
            helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]),
            helper.make_node("MatMul", ["x", "wt"], ["y"]),
        ]
        path = write(build(nodes, [tensor("w", weight)], [value("x", ["N", 12])], [value("y", ["N", 8])]))
        with pare.load(path) as model:
            report = model.prune("magnitude", pattern="2:4")
            if "w" in model.masks:
                mask = model.masks["w"].numpy()
                assert (mask.reshape(8, 3, 4).sum(-1) == 2).all()
            else:
                assert report.layers[0].note

    @pytest.mark.parametrize("transposed", [0, 1])
    def test_patterns_follow_the_input_dimension_of_gemm(self, write, transposed):
        weight = normal(8, 12) if transposed else normal(12, 8)
        nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], transB=transposed)]
        path = write(build(nodes, [tensor("w", weight)], [value("x", ["N", 12])], [value("y", ["N", 8])]))
        with pare.load(path) as model:
            model.prune("magnitude", pattern="2:4")
            mask = model.masks["w"].numpy()
        groups = (mask if transposed else mask.T).reshape(8, 3, 4)
        assert (groups.sum(-1) == 2).all()

    def test_functions_are_kept(self, write):
        """A model-local function whose body holds a constant weight of its own."""
        constant = helper.make_node("Constant", [], ["k"], value=tensor("k", normal(6, 6)))
        function = helper.make_function(
            "local", "Twice", ["a"], ["b"],
            [constant, helper.make_node("MatMul", ["a", "k"], ["b"])],
            [helper.make_opsetid("", 17)],
        )  # fmt: skip
        model = build(
            [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Twice", ["h"], ["y"], domain="local")],
            [tensor("w", normal(6, 6))],
            [value("x", ["N", 6])],
            [value("y", ["N", 6])],
            domains=[helper.make_opsetid("local", 1)],
            functions=[function],
        )
        path = write(model)
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert onnx.load(str(target)).functions[0] == function
        x = normal(2, 6)
        expected = x @ stored(target)["w"] @ numpy_helper.to_array(constant.attribute[0].t)
        assert np.allclose(run(target, x=x)[0], expected, atol=1e-4)

    def test_sparse_initializers_are_kept(self, write):
        sparse = onnx.SparseTensorProto(dims=[6, 6])
        sparse.values.CopyFrom(tensor("s", normal(3)))
        sparse.indices.CopyFrom(tensor("", np.array([1, 8, 30])))
        model = build(
            [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Add", ["h", "s"], ["y"])],
            [tensor("w", normal(6, 6))],
            [value("x", [6, 6])],
            [value("y", [6, 6])],
        )
        model.graph.sparse_initializer.append(sparse)
        path = write(model)
        report, target = prune(path, check=False)  # onnx's own shape inference does not know sparse tensors
        assert pruned_names(report) == ["w"]
        assert onnx.load(str(target)).graph.sparse_initializer[0] == sparse
        x, dense = normal(6, 6), np.zeros(36, np.float32)
        dense[[1, 8, 30]] = numpy_helper.to_array(sparse.values)
        assert np.allclose(run(target, x=x)[0], x @ stored(target)["w"] + dense.reshape(6, 6), atol=1e-5)

    def test_initializers_that_are_inputs_too(self, write):
        """IR version 3 lists initialisers among the inputs; the caller may replace them."""
        weight = normal(6, 6)
        model = linear(weight)
        model.graph.input.append(value("w", [6, 6]))
        model.ir_version = 3
        path = write(model)
        report, target = prune(path)
        assert_halved(weight, stored(target)["w"])
        assert len(onnx.load(str(target)).graph.input) == 2

    def test_odd_shapes(self, write):
        """Empty tensors, scalars and rank 1 lie beside the weight and stay."""
        model = linear(normal(6, 6))
        extra = [tensor("empty", np.zeros((0, 4), np.float32)), tensor("scalar", np.float32(3).reshape(()))]
        extra += [tensor("vector", normal(5)), tensor("deep", normal(*[1] * 8))]
        model.graph.initializer.extend(extra)
        path = write(model)
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert list(onnx.load(str(target)).graph.initializer[1:]) == extra

    def test_empty_weights_are_no_layers(self, write):
        path = write(linear(np.zeros((4, 0), np.float32)))
        report, target = prune(path)
        assert pruned_names(report) == [] and report.layers[0].note == "empty"
        assert target.read_bytes() == path.read_bytes()

    def test_unicode_names(self, write):
        names = ["слой.вес", "层/权重", "a b\tc", "🙂", "ä" * 300, 'quo"te\\']
        nodes, tensors, last = [], [], "x"
        for i, name in enumerate(names):
            tensors.append(tensor(name, normal(4, 4)))
            nodes.append(helper.make_node("MatMul", [last, name], [f"y{i}"], name=f"узел{i}"))
            last = f"y{i}"
        path = write(build(nodes, tensors, [value("x", ["N", 4])], [value(last, ["N", 4])]), "модель.onnx")
        masks = path.with_name("маски.safetensors")
        with pare.load(path) as model:
            assert list(model.parameters) == names
            model.prune("magnitude", 0.5)
            model.masks.save(masks)
            model.save(path.with_name("итог.onnx"))
        after = stored(path.with_name("итог.onnx"))
        assert list(after) == names
        for name, old in stored(path).items():
            assert_halved(old, after[name])
        with pare.load(path) as model:
            model.masks.load(masks)
            assert list(model.masks) == names

    @pytest.mark.parametrize("opset", range(13, onnx.defs.onnx_opset_version() + 1))
    def test_opsets(self, write, opset):
        """Every operator set that this onnxruntime runs."""
        conv, matrix = normal(4, 3, 3, 3), normal(4, 5)
        nodes = [
            helper.make_node("Conv", ["x", "conv"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("GlobalAveragePool", ["b"], ["c"]),
            helper.make_node("Flatten", ["c"], ["d"]),
            helper.make_node("MatMul", ["d", "matrix"], ["y"]),
        ]
        model = build(
            nodes,
            [tensor("conv", conv), tensor("matrix", matrix)],
            [value("x", ["N", 3, 6, 6])],
            [value("y", ["N", 5])],
            opset,
        )
        path, x = write(model), normal(2, 3, 6, 6)
        try:
            dense = run(path, x=x)[0]
        except Exception as problem:  # onnxruntime has its own exception types per cause
            pytest.skip(f"onnxruntime {onnxruntime.__version__} does not run opset {opset}: {str(problem)[:80]}")
        report, target = prune(path)
        assert pruned_names(report) == ["conv", "matrix"]
        assert_halved(conv, stored(target)["conv"])
        sparse = run(target, x=x)[0]
        assert sparse.shape == dense.shape and not np.array_equal(sparse, dense)
