"""Rows that set our value beside the reference's, for the validations of this folder."""

from __future__ import annotations


def print_header() -> None:
    print(f"{'':32} {'ours':>11}   {'reference':20} ratio to its middle")


def print_row(name: str, ours: float, low: float, high: float | None = None) -> None:
    """One value; the reference is one number, or an interval."""
    high = low if high is None else high
    reference = f"{low:.6g}" if low == high else f"{low:g} to {high:g}"
    print(f"{name:32} {ours:11.5g}   {reference:20} {ours / (0.5 * (low + high)):.4f}", flush=True)
