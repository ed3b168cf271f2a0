"""Files and pictures."""
import hashlib

import bentoml
from bentoml.adapters import FileInput, ImageInput


def corners(image):
    return {
        'shape': image.shape,
        'corners': [image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]],
    }


def digest(stream):
    data = stream.read()
    return {'name': stream.name, 'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}


@bentoml.env(pip_packages=['imageio<=2.9.0'])
class FileService(bentoml.BentoService):
    """Digests of files, corners of pictures."""

    @bentoml.api(input=FileInput(), batch=False)
    def file_single(self, stream):
        return digest(stream)

    @bentoml.api(input=FileInput(), batch=True)
    def file_batch(self, streams):
        return [digest(stream) for stream in streams]

    @bentoml.api(input=ImageInput(), batch=False)
    def image_single(self, image):
        return corners(image)

    @bentoml.api(input=ImageInput(), batch=True)
    def image_batch(self, images):
        return [corners(image) for image in images]

    @bentoml.api(input=ImageInput(pilmode='L'), batch=False)
    def image_grey(self, image):
        return corners(image)

    @bentoml.api(input=ImageInput(accept_image_formats=['.png']), batch=False)
    def image_png(self, image):
        return corners(image)
