from gpt import TransformerService
from tiny_gpt import make_model, make_tokenizer

# With a network, the real GPT-2 takes the same way:
#   from transformers import AutoModelForCausalLM, AutoTokenizer
#   model = AutoModelForCausalLM.from_pretrained("gpt2")
#   tokenizer = AutoTokenizer.from_pretrained("gpt2")
tokenizer = make_tokenizer()
model = make_model(tokenizer)

service = TransformerService()
service.pack("gptModel", {"model": model, "tokenizer": tokenizer})
saved_path = service.save()
