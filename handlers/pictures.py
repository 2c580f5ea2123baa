"""Pictures in Slack: drawn beside the event loop, uploaded once, shown by their file ids."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping

from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import BackendError
from handlers.drawing.scene import Scene
from handlers.views.blocks import Block, image
from handlers.web_api import call

log = logging.getLogger(__name__)

MOST_KNOWN = 64
AT_A_TIME = 2
Spawn = Callable[[Coroutine[None, None, None], str], None]
# Nobody waits long for a picture: everything it says is in the text as well.
PATIENCE_S = 4.0
# Slack takes a moment to prepare an uploaded file, and refuses a block that shows it before.
PAUSES_S = (1.0, 2.0, 4.0)


class Pictures:
    """Uploads what has not been uploaded before. The files are in no channel: only blocks of ours show them."""

    def __init__(self, client: AsyncWebClient, spawn: Spawn) -> None:
        """`spawn` is Env's: an upload goes on when nobody waits for it any more, and the next one to look has it."""
        self._client, self._spawn = client, spawn
        self._files: dict[str, asyncio.Future[str | None]] = {}
        self._turn = asyncio.Semaphore(AT_A_TIME)

    async def blocks(self, scenes: Mapping[str, Scene]) -> dict[str, Block]:
        """An image block for each picture that Slack has within a few seconds, under the picture's name.

        Never raises: a picture that cannot be had is missing.
        """
        files = {name: self._file(name, scene) for name, scene in scenes.items()}
        if files:
            await asyncio.wait(files.values(), timeout=PATIENCE_S)
        had = {name: file.result() for name, file in files.items() if file.done()}
        return {name: image(file, scenes[name].alt) for name, file in had.items() if file is not None}

    def _file(self, name: str, scene: Scene) -> asyncio.Future[str | None]:
        """The id of the file with this picture, now or soon; None when Slack would not take it."""
        digest = hashlib.sha256(scene.model_dump_json().encode()).hexdigest()
        if digest not in self._files:
            self._files[digest] = asyncio.get_running_loop().create_future()
            self._spawn(self._upload(name, scene, digest), f"picture {name}")
            for old in list(self._files)[:-MOST_KNOWN]:
                del self._files[old]
        return self._files[digest]

    async def _upload(self, name: str, scene: Scene, digest: str) -> None:
        waiting, filename = self._files[digest], f"{name.replace('/', '-')}.png"
        try:
            async with self._turn:
                content = await asyncio.to_thread(_drawn, scene)
                sending = self._client.files_upload_v2(filename=filename, title=filename, content=content)
                answer = await call("files.upload", sending)
            waiting.set_result(str(answer["files"][0]["id"]))
        except BackendError as error:
            log.warning("no picture %s: %s", name, error)
        finally:
            if not waiting.done():
                self._files.pop(digest, None)  # the next one to look tries again
                waiting.set_result(None)


def _drawn(scene: Scene) -> bytes:
    from handlers.drawing.render import png  # Pillow is loaded by those who draw

    return png(scene)
