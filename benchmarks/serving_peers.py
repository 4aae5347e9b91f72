"""In the peers' environment: the same two estimators, fitted on the same data, as MLServer and MLflow serve them.

`python benchmarks/serving_peers.py DIRECTORY HTTP_PORT GRPC_PORT METRICS_PORT`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(directory: str, http: str, grpc: str, metrics: str) -> None:
    """Write models and settings below the directory."""
    import joblib
    import mlflow.sklearn
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    base = Path(directory)
    features, target = load_breast_cancer(return_X_y=True)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    for name, estimator in {
        "forest": RandomForestClassifier(100, random_state=0, n_jobs=1),
        "logistic": logistic,
    }.items():
        estimator.fit(features, target)
        place = base / "mlserver" / name
        place.mkdir(parents=True)
        joblib.dump(estimator, place / "model.joblib")
        settings = {
            "name": name, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"},
        }  # fmt: skip
        (place / "model-settings.json").write_text(json.dumps(settings))
        mlflow.sklearn.save_model(estimator, base / "mlflow" / name, serialization_format="cloudpickle")
    settings = {
        "host": "127.0.0.1", "http_port": int(http), "grpc_port": int(grpc), "metrics_port": int(metrics),
        "parallel_workers": 0, "debug": False, "logging_settings": None,
    }  # fmt: skip
    (base / "mlserver" / "settings.json").write_text(json.dumps(settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
