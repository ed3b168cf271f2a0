"""Train on half of the digits, save the service, and write the other half to digits.csv.

One row of the file is damaged on purpose: it shows what becomes of rows that cannot be read.
"""

from service import PIXELS, DigitScorer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier


def main():
    data = load_digits(as_frame=True)
    frame = data.data.set_axis(PIXELS, axis="columns")
    half = len(frame) // 2
    service = DigitScorer()
    service.pack("model", RandomForestClassifier(random_state=0).fit(frame[:half], data.target[:half]))
    print(service.save())

    with open("digits.csv", "w", encoding="utf-8") as file:
        print("id", "written", *PIXELS, sep=",", file=file)
        rows = zip(frame[half:].to_numpy(), data.target[half:], strict=True)
        for number, (pixels, digit) in enumerate(rows, 1):
            values = ["smudged", *pixels[1:]] if number == 100 else pixels
            print(f"digit-{number}", digit, *values, sep=",", file=file)


if __name__ == "__main__":
    main()
