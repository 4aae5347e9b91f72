"""The shapes of documents that surely keep their contracts; made by scripts/shapes.py."""

from __future__ import annotations

from strata_git.contracts.shape import Shape

SHAPES: dict[tuple[str, str], Shape] = {
    ("dataset", "metadata.yaml"): (
        "record",
        {
            "name": ("text", "name"),
            "version": ("text", "version"),
            "created": ("text", "moment"),
            "description": ("text", "text"),
            "licence": ("text", "label"),
            "content_hash": ("text", "content hash"),
            "kind": ("one of", ("dataset",)),
            "provenance": (
                "record",
                {
                    "source": ("text", "text"),
                    "retrieved": ("text", "day"),
                    "process": ("text", "text"),
                    "parents": ("list", ("never",), 0),
                },
                ("source", "retrieved", "process"),
                False,
            ),
            "splits": (
                "keys",
                ("text", "name"),
                (
                    "record",
                    {
                        "path": ("text", "path or all"),
                        "files": ("whole", 1, None),
                        "rows": ("null or", ("whole", 0, None)),
                        "bytes": ("whole", 0, None),
                    },
                    ("path", "files", "bytes"),
                    False,
                ),
                1,
            ),
            "schema": (
                "null or",
                (
                    "list",
                    (
                        "record",
                        {
                            "name": ("text", "label"),
                            "type": ("text", "label"),
                            "shape": ("null or", ("list", ("null or", ("whole", None, None)), 0)),
                        },
                        ("name", "type"),
                        False,
                    ),
                    0,
                ),
            ),
        },
        ("name", "version", "created", "description", "licence", "content_hash", "kind", "provenance", "splits"),
        False,
    ),
    ("model", "metadata.yaml"): (
        "record",
        {
            "name": ("text", "name"),
            "version": ("text", "version"),
            "created": ("text", "moment"),
            "description": ("text", "text"),
            "licence": ("text", "label"),
            "content_hash": ("text", "content hash"),
            "kind": ("one of", ("model",)),
            "artifact": ("text", "path inside"),
            "format": ("text", "name"),
            "framework": (
                "record",
                {"name": ("text", "label"), "version": ("text", "label")},
                ("name", "version"),
                False,
            ),
            "run": ("null or", ("text", "run id")),
            "datasets": (
                "list",
                (
                    "record",
                    {
                        "ref": ("reference", ("dataset",)),
                        "digest": ("null or", ("text", "content hash")),
                        "content_hash": ("text", "content hash"),
                    },
                    ("ref", "content_hash"),
                    False,
                ),
                0,
            ),
            "signature": (
                "null or",
                (
                    "record",
                    {
                        "inputs": (
                            "list",
                            (
                                "record",
                                {
                                    "name": ("text", "label"),
                                    "type": ("text", "label"),
                                    "shape": ("null or", ("list", ("null or", ("whole", None, None)), 0)),
                                },
                                ("name", "type"),
                                False,
                            ),
                            0,
                        ),
                        "outputs": (
                            "list",
                            (
                                "record",
                                {
                                    "name": ("text", "label"),
                                    "type": ("text", "label"),
                                    "shape": ("null or", ("list", ("null or", ("whole", None, None)), 0)),
                                },
                                ("name", "type"),
                                False,
                            ),
                            0,
                        ),
                    },
                    (),
                    False,
                ),
            ),
            "trusted_types": ("list", ("text", "label"), 0),
        },
        (
            "name",
            "version",
            "created",
            "description",
            "licence",
            "content_hash",
            "kind",
            "artifact",
            "format",
            "framework",
            "run",
            "datasets",
        ),
        False,
    ),
    ("model", "metrics.yaml"): (
        "record",
        {
            "metrics": (
                "keys",
                ("text", "label"),
                (
                    "record",
                    {
                        "value": ("number", None, None),
                        "direction": ("one of", ("higher", "lower")),
                        "tolerance": ("number", 0, None),
                        "split": ("text", "name"),
                        "n": ("null or", ("whole", 1, None)),
                    },
                    ("value", "direction", "split"),
                    False,
                ),
                1,
            )
        },
        ("metrics",),
        False,
    ),
    ("model", "card.md"): (
        "record",
        {
            "license": ("any",),
            "model-index": (
                "list",
                (
                    "record",
                    {
                        "name": ("text", "label"),
                        "results": (
                            "list",
                            (
                                "record",
                                {
                                    "task": (
                                        "null or",
                                        (
                                            "record",
                                            {"type": ("text", "label"), "name": ("null or", ("text", "label"))},
                                            ("type",),
                                            True,
                                        ),
                                    ),
                                    "dataset": (
                                        "null or",
                                        (
                                            "record",
                                            {"type": ("text", "label"), "name": ("null or", ("text", "label"))},
                                            ("type",),
                                            True,
                                        ),
                                    ),
                                    "metrics": (
                                        "list",
                                        (
                                            "record",
                                            {
                                                "type": ("text", "label"),
                                                "value": ("any",),
                                                "name": ("null or", ("text", "label")),
                                            },
                                            ("type", "value"),
                                            True,
                                        ),
                                        0,
                                    ),
                                },
                                (),
                                True,
                            ),
                            0,
                        ),
                    },
                    ("name",),
                    True,
                ),
                0,
            ),
        },
        (),
        True,
    ),
    ("prompt", "metadata.yaml"): (
        "record",
        {
            "name": ("text", "name"),
            "version": ("text", "version"),
            "created": ("text", "moment"),
            "description": ("text", "text"),
            "licence": ("text", "label"),
            "content_hash": ("text", "content hash"),
            "kind": ("one of", ("prompt",)),
        },
        ("name", "version", "created", "description", "licence", "content_hash", "kind"),
        False,
    ),
    ("run", "metrics.json"): ("keys", ("text", "label"), ("number", None, None), 0),
    ("run", "system.json"): (
        "record",
        {
            "schema": ("one of", ("strata/system/v1",)),
            "platform": ("text", "label"),
            "python": ("text", "label"),
            "packages": ("keys", ("text", "label"), ("text", "label"), 0),
            "code": (
                "record",
                {
                    "commit": ("text", "object id"),
                    "dirty": ("flag",),
                    "tree": ("text", "object id"),
                    "kept": ("null or", ("text", "object id")),
                },
                ("commit", "dirty", "tree"),
                False,
            ),
            "seed": ("null or", ("whole", 0, None)),
        },
        ("schema", "platform", "python", "packages", "code", "seed"),
        True,
    ),
}
"""By kind of artifact and name of the file; what is not here is left to pydantic."""
