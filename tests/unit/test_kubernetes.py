"""The pods that open untrusted files: gVisor, no privilege, bounded; as the API of Kubernetes names the fields."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.sandbox.levels import Level
from infra.settings import variables
from schema.policies import CODE_AT_ONCE, CODE_MEMORY_BYTES, TaskQueue

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
CLASS: dict[str, Any] = yaml.safe_load((FOLDER / "runtime-class.yaml").read_text(encoding="utf-8"))
ROLES = ("tools", "tools-cpu")


def deployment(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"worker-{role}.yaml").read_text(encoding="utf-8"))
    return found


def test_the_runtime_class() -> None:
    assert (CLASS["apiVersion"], CLASS["kind"], CLASS["handler"]) == ("node.k8s.io/v1", "RuntimeClass", "runsc")


@pytest.mark.parametrize("role", ROLES)
def test_pods_are_walled(role: str) -> None:
    found = deployment(role)
    assert (found["apiVersion"], found["kind"]) == ("apps/v1", "Deployment")
    template = found["spec"]["template"]
    assert found["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    pod = template["spec"]
    assert pod["runtimeClassName"] == CLASS["metadata"]["name"]
    assert pod["automountServiceAccountToken"] is pod["hostUsers"] is pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    (container,) = pod["containers"]
    assert container["args"] == ["worker", "--role", TaskQueue(role).value]
    security = container["securityContext"]
    assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
    assert security["capabilities"] == {"drop": ["ALL"]}
    names = {mount["name"] for mount in container["volumeMounts"]}
    assert names == {volume["name"] for volume in pod["volumes"]}
    assert all("emptyDir" in volume for volume in pod["volumes"])


@pytest.mark.parametrize("role", ROLES)
def test_pods_demand_the_level_that_they_are_for(role: str) -> None:
    (container,) = deployment(role)["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert set(environment) <= {name for name, _, _ in variables()}
    assert Level[environment["SWISSBRAIN_SANDBOX_LEVEL_MIN"].upper()] == Level.GVISOR
    assert set(container["resources"]["limits"]) >= {"cpu", "memory"}


def test_programs_at_once_fit_in_a_pod_but_for_two() -> None:
    """Not every program takes all that it may; what does, is killed by its own limit before the pod is."""
    (container,) = deployment("tools")["spec"]["template"]["spec"]["containers"]
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 1024**3
    assert limit >= (CODE_AT_ONCE - 1) * CODE_MEMORY_BYTES
