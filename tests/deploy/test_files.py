"""The files of deploy/ are what their programs read, and the commands in them are szem's."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from szem.cli.verbs import load_verb

yaml = pytest.importorskip("yaml")
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def understood(words: list[str]) -> None:
    command: Any = get_command(load_verb(words[0]).app)
    with command.make_context("szem", words[1:]):
        pass


def test_the_image_is_of_a_user_without_rights_and_says_how_it_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    final = text.split("\nFROM ")[-1]
    assert re.search(r"^USER 10001$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert "/healthz" in final
    words = re.search(r"^CMD (\[.*\])$", final, re.MULTILINE)
    assert words is not None
    understood(yaml.safe_load(words[1]))
    probe = re.search(r"^  CMD (\[.*\])$", final, re.MULTILINE)
    assert probe is not None
    compile(yaml.safe_load(probe[1])[2], "probe", "exec")
    root = DEPLOY.parent
    for source in re.findall(r"-c /src/(\S+)", text):
        assert (root / source).is_file()


def test_the_replicas_of_the_compose_file_share_a_database_and_write_nothing() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    api = services["api"]
    assert api["deploy"]["replicas"] == 2
    assert api["read_only"]
    assert api["cap_drop"] == ["ALL"]
    understood([re.sub(r"\$\{(\w+)[^}]*\}", r"\1", word) for word in api["command"]])
    assert any(word.startswith("--database=postgresql+psycopg://") for word in api["command"])
    assert services["proxy"]["ports"] == ["127.0.0.1:8777:8777"]
    for service in services.values():
        for other in service.get("depends_on", {}):
            assert other in services
    (mounted,) = services["proxy"]["volumes"]
    assert (DEPLOY / mounted.split(":")[0]).is_file()


def test_the_cluster_runs_without_rights_and_its_usage_report() -> None:
    cluster, policy = yaml.safe_load_all((DEPLOY / "kuberay" / "cluster.yaml").read_text())
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for group in groups:
        assert group["rayStartParams"]["disable-usage-stats"] == "true"
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            names = {one["name"] for one in container["env"]}
            assert {"RAY_USAGE_STATS_ENABLED", "RAY_AUTH_TOKEN"} <= names
            assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    assert policy["spec"]["podSelector"]["matchLabels"]["ray.io/cluster"] == cluster["metadata"]["name"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray Serve's own settings
def test_replicas_on_ray_are_of_settings_that_there_are() -> None:
    from szem.serve.on_ray import _settings

    plan = yaml.safe_load((DEPLOY / "serve.yaml").read_text())
    (application,) = plan["applications"]
    module, _, name = application["import_path"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    settings = _settings(application["args"])
    (deployment,) = application["deployments"]
    assert deployment["max_ongoing_requests"] == 2 * settings.max_in_flight
    if importlib.util.find_spec("ray") is not None:
        from ray.serve.schema import ServeDeploySchema

        ServeDeploySchema.model_validate(plan)
