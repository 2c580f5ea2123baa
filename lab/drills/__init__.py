"""Gateway failures on real packets, measured: `python -m lab.drills`."""
