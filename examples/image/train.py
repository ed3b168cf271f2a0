"""Train on scikit-learn's handwritten digits and save the service."""

from service import DigitReader
from sklearn.datasets import load_digits
from sklearn.svm import SVC


def save():
    """Returns the path of the saved bundle."""
    data = load_digits()
    service = DigitReader()
    service.pack("model", SVC(C=10).fit(data.data, data.target))
    return service.save()


if __name__ == "__main__":
    print(save())
