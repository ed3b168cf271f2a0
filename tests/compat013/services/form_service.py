"""Several files at a time."""
import bentoml
from bentoml.adapters import AnnotatedImageInput, MultiFileInput, MultiImageInput


def size(stream):
    return None if stream is None else len(stream.read())


@bentoml.env(pip_packages=['imageio<=2.9.0'])
class FormService(bentoml.BentoService):
    """Sizes of files, corners of pictures."""

    @bentoml.api(input=MultiFileInput(['left', 'right_one']), batch=True)
    def files_batch(self, lefts, rights):
        return [[size(left), size(right)] for left, right in zip(lefts, rights)]

    @bentoml.api(input=MultiFileInput(['left', 'right_one']), batch=False)
    def files_single(self, left, right):
        return [size(left), size(right)]

    @bentoml.api(input=MultiImageInput(('first', 'second')), batch=True)
    def images_batch(self, firsts, seconds):
        return [[first[0, 0], second.shape] for first, second in zip(firsts, seconds)]

    @bentoml.api(input=AnnotatedImageInput(), batch=False)
    def annotated_single(self, image, annotations):
        return [image.shape, annotations]

    @bentoml.api(input=AnnotatedImageInput(), batch=True)
    def annotated_batch(self, images, annotations):
        return [[image.shape, notes] for image, notes in zip(images, annotations)]
