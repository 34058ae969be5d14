"""Promises of another platform's images: ARM's own kernels answer, the report says that they are emulated, what is missing is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from crossload.errors import EnvironmentProblem
from crossload.report.junit import to_junit
from crossload.runtimes import registry
from crossload.runtimes.walls import engine, foreign, images
from crossload.verbs.verify.verify import verify


@pytest.fixture(scope="session")
def arm_base(base: str) -> str:
    """The base image of linux/arm64, where the kernel takes an emulator."""
    if "CROSSLOAD_TEST_ARM_BASE" not in os.environ:
        pytest.skip(
            "this kernel runs no programs of ARM: apt-get install qemu-user-static, "
            "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc, /usr/lib/systemd/systemd-binfmt; then make test-docker"
        )
    return os.environ["CROSSLOAD_TEST_ARM_BASE"]


@pytest.mark.slow
def test_a_model_runs_on_arm_beside_this_processor_and_the_report_says_that_it_is_emulated(demo: Path, arm_base: str) -> None:
    built = images.build(registry.in_image("litert/arm64"), arm_base)
    assert built.name.endswith("-arm64")
    report = verify(demo, ["docker:litert/arm64", "litert"], artifacts=["tflite"])
    assert {r.outcome for r in report.results} == {"ok"}
    assert report.columns == ["docker:litert/arm64", "litert"]
    about = {r["runtime"]: r for r in json.loads(report.to_json())["runtimes"]}
    arm = about["docker:litert/arm64"]
    assert (arm["arch"], arm["emulated"]) == ("aarch64", f"cortex-a76 on {about['litert']['arch']}")
    assert "asimd" in arm["cpu"]  # not this processor's
    assert "emulated" not in about["litert"]
    assert any("docker:litert/arm64: the processor is emulated" in said for said in report.cautions)
    assert f'name="emulated" value="{arm["emulated"]}"' in to_junit(report)


@pytest.mark.slow
def test_a_base_of_another_platform_is_told(base: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"is of amd64, not of arm64; name one of linux/arm64, --base IMAGE"):
        images.build(registry.in_image("litert/arm64"), base)


@pytest.mark.slow
def test_a_runtime_without_wheels_for_a_platform_is_told(base: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"tflite_micro_worker for linux/arm64 cannot be made: .*has no wheels"):
        images.build(registry.in_image("tflite-micro/arm64"))


def test_a_kernel_without_an_emulator_is_told_with_the_commands() -> None:
    said = engine.explained("exec /bin/true: exec format error")
    assert "apt-get install qemu-user-static" in said
    assert "/usr/lib/systemd/systemd-binfmt" in said


def test_the_emulated_processor_s_cpuinfo_is_one_of_arm() -> None:
    lines = foreign.PROCESSORS["arm64"].cpuinfo.splitlines()
    assert [line for line in lines if line.startswith("processor")] == ["processor\t: 0", "processor\t: 1"]
    assert "CPU part\t: 0xd0b" in lines
