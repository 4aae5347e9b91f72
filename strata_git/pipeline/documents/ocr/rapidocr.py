"""RapidOCR (extra `ocr`): models come inside its package, so that it needs no system package and no network."""

from __future__ import annotations

import logging
from typing import Any

from strata_git.errors import MissingExtra
from strata_git.pipeline.documents.refusal import Refused


class RapidOcr:
    """The engine with its models loaded, for one process."""

    def __init__(self) -> None:
        from importlib.util import find_spec

        if find_spec("rapidocr") is None or find_spec("onnxruntime") is None:
            raise MissingExtra("ocr", "Reading text from pictures with rapidocr")
        self._engine: Any = None

    def read(self, picture: bytes) -> str:
        """The text in a picture (PNG), line by line from the top. Raises Refused when the engine fails on it."""
        try:
            found = self.load_models()(picture)
        except Exception as error:  # noqa: BLE001 - whatever the models stumble over costs this picture only
            lines = str(error).strip().splitlines() or [""]
            raise Refused("malformed", f"rapidocr: {type(error).__name__}: {lines[-1]}") from None
        return "\n".join(found.txts or ())

    def load_models(self) -> Any:
        """The engine; its models are read when it is asked for the first time."""
        if self._engine is None:
            from rapidocr import RapidOCR

            logging.getLogger("RapidOCR").setLevel(logging.ERROR)
            self._engine = RapidOCR(
                params={
                    "Global.log_level": "error",
                    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                }
            )
        return self._engine
