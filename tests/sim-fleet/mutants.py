#!/usr/bin/env python3
"""Plants one fault at a time into a copy of the sources and shows that the simulation of fleet finds it.

As tests/sim/mutants.py does it for the store, with the patches of tests/sim-fleet/mutants and seeds 1-200 of sim-fleet.

    tests/sim-fleet/mutants.py [NAME…]     only the patches whose names contain one of these
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "sim"))
import mutants  # noqa: E402

mutants.PATCHES = Path(__file__).resolve().parent / "mutants"
mutants.PROGRAM = "tests/sim-fleet/sim-fleet"

if __name__ == "__main__":
    mutants.main()
