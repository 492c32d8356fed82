"""Kernels of compiled models: features from raw inputs, and polynomials of the second degree."""
# mypy: ignore-errors

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def compute_features(
    raw, over_start, over_input, over_weight, under_start, under_input, under_weight, scale, offset, log, out
):
    """Features that are ratios of linear forms of the inputs, or logarithms of such.

    raw : (n, n_inputs); over_start : int64 (n_features + 1,) where the terms of a numerator begin in over_input (int64)
    and over_weight; under_* : the same of denominators, none where there is no term; scale, offset : (n_features,);
    log : bool (n_features,); out : (n, n_features), NaN where a feature cannot be computed
    """
    for i in range(raw.shape[0]):
        for f in range(scale.shape[0]):
            value = offset[f]
            for k in range(over_start[f], over_start[f + 1]):
                value += over_weight[k] * raw[i, over_input[k]]
            value *= scale[f]
            if under_start[f] < under_start[f + 1]:
                under = 0.0
                for k in range(under_start[f], under_start[f + 1]):
                    under += under_weight[k] * raw[i, under_input[k]]
                value = np.nan if under == 0.0 else value / under
            if log[f]:
                value = math.log(value) if value > 0.0 else np.nan
            out[i, f] = value if math.isfinite(value) else np.nan


@njit(cache=True, nogil=True)
def predict_polynomial(x, first, median, gaps, mean, sd, low, high, intercept, linear, square, out):
    """Polynomial of standardised features; outside its ranges at the edge of them, or NaN of the second degree.

    x : (n, d), rows from `first` on; median : (d,); gaps : int64 (g,); mean, sd, low, high, linear : (d + g,);
    square : (d + g, d + g) upper triangle, or (0, 0) of degree 1; out : (n_rows,)
    """
    d, width = median.shape[0], mean.shape[0]
    z = np.empty(width)
    for i in range(out.shape[0]):
        total = intercept
        for c in range(width):
            value = x[first + i, c if c < d else gaps[c - d]]
            if c >= d:
                value = 1.0 if value != value else 0.0
            elif value != value:
                value = median[c]
            if value < low[c] or value > high[c]:
                if square.shape[0]:
                    total = np.nan
                else:
                    value = min(max(value, low[c]), high[c])
            z[c] = (value - mean[c]) / sd[c]
            total += linear[c] * z[c]
        if square.shape[0]:
            for a in range(width):
                line = 0.0
                for b in range(a, width):
                    line += square[a, b] * z[b]
                total += line * z[a]
        out[i] = total
