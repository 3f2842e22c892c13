"""Pruning language models in Hugging Face folders, checked against numpy, safetensors and transformers. Needs the
shared data; skips where it is absent."""

import json
import math

import numpy as np
import pytest

import references as reference

safetensors = pytest.importorskip("safetensors")
pare = pytest.importorskip("pare", exc_type=ImportError)

from safetensors.numpy import load_file  # noqa: E402


class TestLanguageModels:
    """Hugging Face folders keep everything but the weights that go, and load in transformers."""

    @pytest.fixture
    def transformers(self):
        return pytest.importorskip("transformers", reason="transformers is not installed")

    def prune(self, folder, target, *arguments, **options):
        with pare.load(folder) as model:
            assert model.format == "hugging-face"
            report = model.prune(*arguments, **options)
            model.save(target)
        return report

    def assert_same_folder(self, folder, target):
        names = sorted(path.name for path in folder.iterdir())
        assert sorted(path.name for path in target.iterdir()) == names
        for name in names:
            if name != "model.safetensors":
                assert (target / name).read_bytes() == (folder / name).read_bytes(), name

    def assert_loads_as(self, transformers, folder, target, tied):
        """transformers sees the saved values, with the output layer still being the embedding."""
        model = transformers.AutoModelForCausalLM.from_pretrained(str(target)).eval()
        stored = load_file(target / "model.safetensors")
        state = {name: value.numpy() for name, value in model.state_dict().items()}
        for name, value in stored.items():
            assert np.array_equal(state[name], value), name
        output, input = model.get_output_embeddings().weight, model.get_input_embeddings().weight
        assert output.data_ptr() == input.data_ptr()
        before = load_file(folder / "model.safetensors")
        assert reference.same_bits(before[tied], stored[tied])
        with safetensors.safe_open(folder / "model.safetensors", "np") as old:
            with safetensors.safe_open(target / "model.safetensors", "np") as new:
                assert list(old.keys()) == list(new.keys())
                extra = dict(new.metadata() or {})
                assert {key: extra.pop(key) for key in (old.metadata() or {})} == (old.metadata() or {})
                assert extra and all(key.startswith("pare") for key in extra)
        return model

    @pytest.mark.parametrize(
        "options, ceiling", [({"sparsity": 0.5}, 60), ({"pattern": "2:4"}, 150)], ids=["half", "2:4"]
    )
    def test_llama(self, shared, transformers, tmp_path, options, ceiling):
        folder = shared("lm_stories260k")
        target = tmp_path / "pruned"
        self.prune(folder, target, "magnitude", **options)
        self.assert_same_folder(folder, target)
        before, after = (load_file(f / "model.safetensors") for f in (folder, target))
        linear = {name: weight for name, weight in before.items() if "_proj" in name}
        assert len(linear) == 5 * 7
        if "pattern" in options:
            masks = {name: reference.keep_n_of_m(weight, 2, 4) for name, weight in linear.items()}
        else:
            scores = {name: np.abs(weight) for name, weight in linear.items()}
            masks = reference.separately(scores, reference.uniform(scores, 0.5))
        reference.assert_pruned_as(before, after, masks)
        model = self.assert_loads_as(transformers, folder, target, "model.embed_tokens.weight")
        dense = transformers.AutoModelForCausalLM.from_pretrained(str(folder)).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(target))
        stories = shared("text_tinystories/eval.txt").read_text().split("<|endoftext|>")
        stories = [story.strip() for story in stories if story.strip()][:10]
        found = perplexity(dense, tokenizer, stories), perplexity(model, tokenizer, stories)
        print(f"\nllama {options}: perplexity {found[0]:.3f} → {found[1]:.3f}")
        assert 4 < found[0] < 5.5 and found[0] < found[1] < ceiling

    @pytest.mark.parametrize(
        "options, ceiling", [({"sparsity": 0.5}, 7), ({"pattern": "2:4"}, 8.5)], ids=["half", "2:4"]
    )
    def test_gpt2(self, shared, transformers, tmp_path, options, ceiling):
        """GPT-2 stores [in, out]: N:M groups run along axis 0 of the stored weight."""
        folder = shared("lm_gpt2_char")
        target = tmp_path / "pruned"
        self.prune(folder, target, "magnitude", **options)
        self.assert_same_folder(folder, target)
        before, after = (load_file(f / "model.safetensors") for f in (folder, target))
        suffixes = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
        linear = {name: weight for name, weight in before.items() if name.endswith(suffixes)}
        assert len(linear) == 4 * 4
        if "pattern" in options:
            masks = {name: reference.keep_n_of_m(weight.T, 2, 4).T for name, weight in linear.items()}
        else:
            scores = {name: np.abs(weight) for name, weight in linear.items()}
            masks = reference.separately(scores, reference.uniform(scores, 0.5))
        reference.assert_pruned_as(before, after, masks)
        model = self.assert_loads_as(transformers, folder, target, "transformer.wte.weight")
        dense = transformers.AutoModelForCausalLM.from_pretrained(str(folder)).eval()
        text = shared("text_shakespeare/tinyshakespeare.txt").read_text()
        text = text[int(0.9 * len(text)) :][: 128 * 64]
        found = character_perplexity(dense, folder, text), character_perplexity(model, folder, text)
        print(f"\ngpt2 {options}: perplexity {found[0]:.3f} → {found[1]:.3f}")
        assert 5 < found[0] < 7.5 and found[0] < found[1] < ceiling


def perplexity(model, tokenizer, stories):
    """Per story: the loss of every token after BOS, summed over all stories."""
    import torch

    loss, count = 0.0, 0
    with torch.no_grad():
        for story in stories:
            ids = tokenizer(story, add_special_tokens=False, truncation=True, max_length=511)["input_ids"]
            ids = torch.tensor([[1, *ids]])
            logits = model(ids).logits[0, :-1].log_softmax(-1)
            loss -= logits.gather(1, ids[0, 1:, None]).sum().item()
            count += ids.shape[1] - 1
    return math.exp(loss / count)


def character_perplexity(model, folder, text):
    """Windows of 128 characters, first character not scored."""
    import torch

    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    ids = torch.tensor([vocabulary[c] for c in text]).reshape(-1, 128)
    with torch.no_grad():
        logits = model(ids).logits[:, :-1].log_softmax(-1)
    return math.exp(-logits.gather(2, ids[:, 1:, None]).mean().item())
