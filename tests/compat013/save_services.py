"""Runs under the real 0.13.1 (Python 3.8): packs and saves every service into $BENTOML_HOME.

Usage: BENTOML_HOME=DIR PYTHON013 save_services.py

The repository it leaves has what a user's has after some weeks: several versions of one service,
labels, a version with `@ver`, a SemVer version with build metadata, and a deleted bundle.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'services'))

from bentoml.yatai.client import get_yatai_client  # noqa: E402
from echo_service import EchoService  # noqa: E402
from file_service import FileService  # noqa: E402
from form_service import FormService  # noqa: E402
from frame_service import FrameService  # noqa: E402
from iris_classifier import IrisClassifier  # noqa: E402
from nearest_centroid import NearestCentroid  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from word_counter import WordCounter  # noqa: E402

CENTROIDS = {
    'setosa': [5.0, 3.4, 1.5, 0.2],
    'versicolor': [5.9, 2.8, 4.3, 1.3],
    'virginica': [6.6, 3.0, 5.6, 2.0],
}


def iris_classifier():
    data = load_iris()
    model = LogisticRegression(max_iter=500).fit(data.data, data.target)
    service = IrisClassifier()
    service.pack('model', model, metadata={'accuracy': 0.97, 'trained_on': 'iris'})
    return service


def nearest_centroid():
    return NearestCentroid().pack('centroids', CENTROIDS)


def word_counter():
    service = WordCounter()
    service.pack('weights', {'good': 2, 'bad': -2}, metadata={'words': 2})
    service.pack('settings', {'language': 'de', 'größe': [1, 2.5, None]})
    service.pack('banner', '# Wörter\n\nzählen\n')
    service.pack('words', ['good', 'bad', 'grün'])
    return service


def main():
    first = iris_classifier()
    first.save(version='20210926174550_16DCF9', labels={'stage': 'prod', 'team': 'flowers'})
    second = iris_classifier()
    second.save(labels={'stage': 'dev-1', 'team': 'flowers', 'dataset': 'iris-2021.09'})
    nearest_centroid().save(version='7', labels={'stage': 'prod'})
    EchoService().save(version='1.0.0+cpu')
    FrameService().save(version='1.0.0')
    FileService().save(version='1.0.0')
    forms = os.path.join(os.environ['BENTOML_HOME'], 'FormService')
    os.mkdir(forms)
    FormService().save_to_dir(forms, version='1.0.0')
    word_counter().save(version='0.9.0')
    word_counter().save(version='1.0.0')
    get_yatai_client().repository.delete('WordCounter:0.9.0', require_confirm=False)
    print(json.dumps({'generated_version': second.version}))


if __name__ == '__main__':
    main()
