"""One artifact of every kind that needs no framework, and one of the user's own."""
import os

import bentoml
from bentoml.adapters import JsonInput, StringInput
from bentoml.service import BentoServiceArtifact
from bentoml.service.artifacts.common import (
    JSONArtifact,
    PickleArtifact,
    TextFileArtifact,
)


class WordListArtifact(BentoServiceArtifact):
    """A list of words, one a line."""

    def __init__(self, name):
        super().__init__(name)
        self._words = None

    def _path(self, base_path):
        return os.path.join(base_path, self.name + '.words')

    def pack(self, words, metadata=None):
        self._words = list(words)
        return self

    def load(self, path):
        with open(self._path(path), encoding='utf-8') as stream:
            return self.pack(stream.read().split('\n'))

    def save(self, dst):
        with open(self._path(dst), 'w', encoding='utf-8') as stream:
            stream.write('\n'.join(self._words))

    def get(self):
        return self._words


@bentoml.env(pip_packages=[])
@bentoml.artifacts(
    [
        PickleArtifact('weights'),
        JSONArtifact('settings'),
        TextFileArtifact('banner', file_extension='.md', encoding='utf-8'),
        WordListArtifact('words'),
    ]
)
class WordCounter(bentoml.BentoService):
    """Counts known words."""

    @bentoml.api(input=StringInput(), batch=False)
    def score(self, text):
        weights = self.artifacts.weights
        return sum(weights.get(word, 0) for word in text.split())

    @bentoml.api(input=StringInput(), batch=True)
    def unknown(self, texts):
        known = set(self.artifacts.words)
        return [sorted(set(text.split()) - known) for text in texts]

    @bentoml.api(input=JsonInput(), batch=False)
    def about(self, _):
        return {
            'banner': self.artifacts.banner,
            'settings': self.artifacts.settings,
            'words': self.artifacts.words,
            'metadata': self.artifacts['weights'].metadata,
        }
