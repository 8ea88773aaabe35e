"""Benchmarks: brimful beside what a user would otherwise use, in one run, as ratios.

`make bench` runs all of them on the embedded digits, `make bench MNIST=mnist.npz` on MNIST;
`python -m benchmarks reading cold` runs some. Results go to docs/benchmarks.md with `--write`.
"""
