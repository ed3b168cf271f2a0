"""GPT-2 by its configuration with fresh weights: the work of the real one, without a download.

`python gpt.py < prompts.json` prints what the model answers, which is how the benchmark knows what is right.
"""

import json
import os
import sys

NEW_TOKENS = 50


def make_model():
    """GPT-2 small, 124 million weights; BENCH_GPT_LAYERS makes it shallower for trying things out."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    layers = int(os.environ.get("BENCH_GPT_LAYERS", "12"))
    return GPT2LMHeadModel(GPT2Config(n_layer=layers)).eval()


def continue_text(model, tokens):
    """The `NEW_TOKENS` tokens that follow, chosen greedily."""
    import torch

    ids = torch.tensor([tokens])
    with torch.inference_mode():
        whole = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=NEW_TOKENS,
            max_new_tokens=NEW_TOKENS,
            pad_token_id=0,
        )
    return whole[0, len(tokens) :].tolist()


if __name__ == "__main__":
    model = make_model()
    print(json.dumps([continue_text(model, prompt) for prompt in json.load(sys.stdin)]))
