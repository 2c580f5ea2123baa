"""Pictures in Slack: drawn beside the event loop, uploaded once, shown by their file ids."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping

from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import BackendError
from handlers.drawing.scene import Scene
from handlers.views.blocks import Block, image
from handlers.web_api import call

log = logging.getLogger(__name__)

MOST_KNOWN = 64
# Nobody waits long for a picture: everything it says is in the text as well.
PATIENCE_S = 4.0
# Slack takes a moment to prepare an uploaded file, and refuses a block that shows it before.
PAUSES_S = (1.0, 2.0, 4.0)


class Pictures:
    """Uploads what has not been uploaded before. The files are in no channel: only blocks of ours show them."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._files: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def blocks(self, scenes: Mapping[str, Scene]) -> dict[str, Block]:
        """An image block for each picture that Slack has within a few seconds, under the picture's name.

        Never raises: a picture that cannot be had is missing.
        """
        shown: dict[str, Block] = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                for name, scene in scenes.items():
                    shown[name] = image(await self._file(name, scene), scene.alt)
        except TimeoutError:
            log.info("pictures take too long; shown without %s", ", ".join(set(scenes) - set(shown)))
        except BackendError as error:
            log.warning("no picture: %s", error)
        return shown

    async def _file(self, name: str, scene: Scene) -> str:
        """The id of the file with this picture. Raises BackendErrors."""
        digest = hashlib.sha256(scene.model_dump_json().encode()).hexdigest()
        async with self._lock:  # the same picture is asked for by several people at once
            if digest not in self._files:
                self._files[digest] = await self._upload(name, scene)
                for old in list(self._files)[:-MOST_KNOWN]:
                    del self._files[old]
            return self._files[digest]

    async def _upload(self, name: str, scene: Scene) -> str:
        content = await asyncio.to_thread(_drawn, scene)
        filename = f"{name.replace('/', '-')}.png"
        sending = self._client.files_upload_v2(filename=filename, title=filename, content=content)
        answer = await call("files.upload", sending)
        return str(answer["files"][0]["id"])


def _drawn(scene: Scene) -> bytes:
    from handlers.drawing.render import png  # Pillow is loaded by those who draw

    return png(scene)
