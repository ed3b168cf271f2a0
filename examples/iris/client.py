"""Send real requests to a running IrisClassifier: python client.py [address]"""

import sys

import requests

FLOWERS = {
    "a setosa": [5.1, 3.5, 1.4, 0.2],
    "a versicolor": [6.0, 2.9, 4.5, 1.5],
    "a virginica": [6.9, 3.1, 5.4, 2.1],
}
FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def main(address):
    for name, values in FLOWERS.items():
        flower = dict(zip(FEATURES, values, strict=True))
        answer = requests.post(f"{address}/classify", json=flower, timeout=30)
        answer.raise_for_status()
        print(f"POST /classify  {name}: {answer.json()}")

    table = [dict(zip(FEATURES, values, strict=True)) for values in FLOWERS.values()]
    answer = requests.post(f"{address}/predict", json=table, timeout=30)
    answer.raise_for_status()
    print(f"POST /predict   three rows as JSON: {answer.json()}")

    csv = "\n".join([",".join(FEATURES), *(",".join(map(str, row)) for row in FLOWERS.values())])
    answer = requests.post(f"{address}/predict", data=csv, headers={"Content-Type": "text/csv"}, timeout=30)
    answer.raise_for_status()
    print(f"POST /predict   three rows as CSV:  {answer.json()}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000")
