"""Kernel that turns the amounts of assemblages into sums of phases."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def weighted(
    basis: NDArray[np.int32], amount: NDArray[np.float64], weight: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Sum of amount times weight over the columns of each assemblage.

    basis, amount : (n, n_row) columns and amounts [mol]; weight : (n_col, k) per mole of a column; out : (n, k),
    overwritten.
    """
    n, m = basis.shape
    k = weight.shape[1]
    for i in range(n):
        for j in range(k):
            out[i, j] = 0.0
        for r in range(m):
            x = amount[i, r]
            if x != 0.0:
                c = basis[i, r]
                for j in range(k):
                    out[i, j] += x * weight[c, j]
