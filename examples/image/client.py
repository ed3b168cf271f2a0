"""Draw a few digits, send them as PNG to a running DigitReader: python client.py [address]"""

import io
import sys

import numpy as np
import requests
from PIL import Image
from sklearn.datasets import load_digits


def as_png(pixels):
    """PNG bytes of one 8 x 8 digit, enlarged to 64 x 64."""
    picture = Image.fromarray(np.rint(pixels * (255 / 16)).astype(np.uint8)).resize(
        (64, 64), Image.Resampling.NEAREST
    )
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def main(address):
    data = load_digits()
    for index in range(10):
        png = as_png(data.images[index])
        raw = requests.post(f"{address}/predict", data=png, headers={"Content-Type": "image/png"}, timeout=30)
        form = requests.post(f"{address}/predict", files={"image": ("digit.png", png)}, timeout=30)
        raw.raise_for_status()
        form.raise_for_status()
        print(f"a {data.target[index]} is read as {raw.json()} (raw body) and {form.json()} (form upload)")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000")
