"""Benchmarks that this machine cannot run in full are kept running in small."""

import json
import os
import subprocess
import sys
from pathlib import Path

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def test_the_gpu_script_runs_without_one_if_told_to() -> None:
    """With --cpu, all three ways to feed two models; without it, it says that there is no GPU."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(GPU), "--samples", "2000", "--rounds", "1"]
    done = subprocess.run([*command, "--cpu"], capture_output=True, text=True, check=True, env=environment)
    told = json.loads(done.stdout.splitlines()[-1])
    assert [each["model"] for each in told["results"]] == ["lenet", "one_layer"]
    for each in told["results"]:
        assert min(each[way] for way in ("store", "arrays", "tf_data")) > 100
        assert 0 <= each["wait"] < 1
    if not told["devices"]:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert (done.returncode, "finds no GPU here" in done.stderr) == (1, True)
