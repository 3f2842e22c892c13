"""Half of the weights of ResNet-50, one threshold: `pare prune` on the file, torch.nn.utils.prune on the module.

The network has random weights; it is exported once, with batch normalisation unfolded, and kept under data. The peer
loads the same weights into a module, prunes it, makes the masks permanent and saves it. Its table has two figures:
the pruning alone and the whole process. Ours is the whole process. Zeros are counted afterwards in both files.
"""

import json
import sys
import time
import warnings

import bench

SPARSITY = 0.5
MODEL, STATE = bench.DATA / "resnet50.onnx", bench.DATA / "resnet50.pt"


# Children: each runs in a process of its own.

def export():
    warnings.simplefilter("ignore")
    import resnet50
    import torch

    network = resnet50.build()
    torch.save(network.state_dict(), STATE)
    torch.onnx.export(network, torch.zeros(1, 3, 224, 224), str(MODEL), dynamo=False, opset_version=18,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                      input_names=["image"], output_names=["logits"],
                      dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}})


def peer(target):
    import resnet50
    import torch
    from torch.nn.utils import prune

    network = resnet50.build()
    torch.set_num_threads(1)
    network.load_state_dict(torch.load(STATE))
    layers = [(layer, "weight") for layer in network.modules() if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))]
    begin = time.process_time()
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=SPARSITY)
    for layer, name in layers:
        prune.remove(layer, name)
    work = time.process_time() - begin
    torch.save(network.state_dict(), target)
    print(json.dumps({"work": work}))


def check(target):
    """Zeros of the weights of convolutions and linear layers, and whether every other value is the one exported."""
    import numpy as np

    if target.endswith(".onnx"):
        import onnx

        load = lambda path: {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
        before, after = load(MODEL), load(target)
    else:
        import torch

        load = lambda path: {name: value.numpy() for name, value in torch.load(path).items()}
        before, after = load(STATE), load(target)
    weights = [name for name, value in before.items() if value.ndim in (2, 4)]
    zeros = sum(int((after[name] == 0).sum()) for name in weights)
    elements = sum(before[name].size for name in weights)
    same = set(before) == set(after)
    same = same and all(np.array_equal(before[n][after[n] != 0], after[n][after[n] != 0]) for n in weights)
    same = same and all(np.array_equal(before[n], after[n]) for n in set(before) - set(weights))
    exact = zeros == round(SPARSITY * elements)
    print(json.dumps(dict(zeros=zeros, elements=elements, exact=exact, unchanged=same)))


# The benchmark.

def main():
    options = bench.arguments(__doc__)
    pare = bench.pare_command()
    if not (MODEL.exists() and STATE.exists()):
        bench.run(bench.itself(__file__, "export"))
    outputs = {"torch.nn.utils.prune": bench.DATA / "resnet50-pruned.pt"}
    contestants = {"torch.nn.utils.prune": bench.itself(__file__, "peer", outputs["torch.nn.utils.prune"])}
    if pare:
        outputs["pare"] = bench.DATA / "resnet50-pruned.onnx"
        contestants["pare"] = [pare, "prune", MODEL, "-o", outputs["pare"], "--criterion", "magnitude",
                               "--sparsity", SPARSITY, "--allocation", "global"]
    samples = bench.contest(contestants, options.runs, before=lambda name: outputs[name].unlink(missing_ok=True))
    verdicts = {name: json.loads(bench.run(bench.itself(__file__, "check", outputs[name]))[1]) for name in samples}

    rows = []
    for name, runs in sorted(samples.items()):
        source = MODEL if outputs[name].suffix == ".onnx" else STATE
        verdict = verdicts[name]
        rows.append([name, bench.number(bench.median(runs, "work")), bench.number(bench.median(runs, "cpu")),
                     bench.number(bench.median(runs, "wall")), f"{bench.median(runs, 'rss'):.0f}",
                     f"{source.stat().st_size / 1e6:.1f}", f"{outputs[name].stat().st_size / 1e6:.1f}",
                     f"{verdict['zeros']} of {verdict['elements']}", "yes" if verdict["exact"] else "NO",
                     "yes" if verdict["unchanged"] else "NO"])
    ours = bench.median(samples["pare"], "cpu") if "pare" in samples else None
    rest = [runs for name, runs in samples.items() if name != "pare"]
    alone = bench.ratio(ours, [bench.median(runs, "work") for runs in rest])
    whole = bench.ratio(ours, [bench.median(runs, "cpu") for runs in rest])
    bench.table("ResNet-50, 50 %, one global threshold",
                ["contestant", "CPU s, pruning alone", "CPU s, process", "wall s", "peak RSS MB", "MB in", "MB out",
                 "zeros", "exactly k", "rest as it was"], rows,
                [f"Peer's pruning alone over pare's process: {alone}; process over process: {whole}"])
    bench.keep("p6", samples=samples, verdicts=verdicts, ratio_alone=alone, ratio_process=whole)
    for path in outputs.values():
        path.unlink(missing_ok=True)
    if "pare" in verdicts and not (verdicts["pare"]["exact"] and verdicts["pare"]["unchanged"]):
        sys.exit("pare's output is wrong, see NO above")


if __name__ == "__main__":
    if bench.is_child():
        {"export": export, "peer": peer, "check": check}[sys.argv[1]](*sys.argv[2:])
    else:
        main()
