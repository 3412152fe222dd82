"""How many floating-point operations one call of a torch operation takes: sums, products, functions.

A formula takes what the operation was called with and what it returned. Names are torch's own without
namespace, overload and the marks of in-place (``add_``) and list (``_foreach_add``) variants.

Conventions, all of them own counts: an addition, a multiplication, a division, a comparison of numbers and
one value of an elementary function (sqrt, exp, tanh) are one operation each. A sum of n numbers and an inner
product of length n count n and 2n, as torch's formula of a matrix product does. Whole numbers, truth values,
copies and selections are no floating-point work: 0. Linear algebra is in ``dense_formulas``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

Formula = Callable[[tuple[Any, ...], Mapping[str, Any], Any], int]
"""(positional arguments, keyword arguments, result) -> floating-point operations, >= 0."""

FORMULAS: dict[str, Formula] = {}
"""Operation, by its plain name, to its formula."""

ONE = (
    "mul div neg abs reciprocal sqrt rsqrt square exp exp2 expm1 log log2 log10 log1p sin cos tan asin "
    "acos atan atan2 sinh cosh tanh sigmoid erf erfc erfinv lgamma digamma pow maximum minimum fmax fmin "
    "clamp clamp_min clamp_max relu threshold threshold_backward hardtanh hardtanh_backward leaky_relu "
    "leaky_relu_backward sign sgn floor ceil round trunc frac fmod remainder floor_divide ldexp frexp "
    "nan_to_num eq ne lt le gt ge hypot"
)
"""One operation an element of the result."""

SEVERAL: Mapping[str, int] = {
    "xlogy": 2,  # logarithm, product
    "silu": 2,  # sigmoid, product
    "elu": 2,  # exponential, subtraction
    "elu_backward": 2,
    "gelu": 4,  # scale, erf, sum, product
    "gelu_backward": 8,
    "softplus": 3,  # exponential, sum, logarithm
    "softplus_backward": 4,  # exponential, sum, quotient, product
    "log_sigmoid_forward": 3,
    "log_sigmoid_backward": 4,
    "silu_backward": 5,
    "tanh_backward": 3,  # square, subtraction, product
    "sigmoid_backward": 3,
    "mse_loss": 3,
    "mse_loss_backward": 2,  # difference, scale
}
"""So many operations an element of the result; of a loss that is summed, an element of its first argument."""

REDUCING: Mapping[str, int] = {
    "sum": 1,
    "mean": 1,
    "amax": 1,
    "amin": 1,
    "max": 1,
    "min": 1,
    "aminmax": 2,
    "argmax": 1,
    "argmin": 1,
    "prod": 1,
    "nansum": 1,
    "cumsum": 1,
    "cumprod": 1,
    "logsumexp": 4,  # greatest, subtraction, exponential, sum
    "var": 4,  # mean, subtraction, square, sum
    "std": 4,
    "var_mean": 4,
    "std_mean": 4,
}
"""So many operations an element of the first argument."""

NOTHING = (
    "copy clone _to_copy to contiguous cat stack index index_select index_copy index_fill index_put "
    "gather scatter masked_fill masked_scatter masked_select where take repeat repeat_interleave flip "
    "roll tril triu constant_pad_nd slice_backward select_backward select_scatter slice_scatter "
    "diagonal_scatter diagonal_backward diag_embed as_strided_scatter embedding one_hot zeros zeros_like "
    "new_zeros ones ones_like new_ones full full_like new_full empty empty_like empty_strided new_empty "
    "new_empty_strided eye arange linspace scalar_tensor fill zero lift_fresh lift_fresh_copy alias "
    "_efficientzerotensor isnan isinf isfinite isposinf isneginf signbit equal all any logical_and "
    "logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not bitwise_xor bitwise_left_shift "
    "bitwise_right_shift __lshift__ __rshift__ __and__ __or__ __xor__ nonzero unique_dim _unique2 "
    "bincount rand rand_like randn randn_like randint randperm normal uniform bernoulli exponential "
    "multinomial random _local_scalar_dense is_same_size resize set _has_same_storage_numel "
    "_linalg_check_errors _nested_tensor_size record_stream item real imag complex polar view_as_real "
    "view_as_complex _conj _neg_view resolve_conj resolve_neg conj_physical _unsafe_view reshape "
    "_reshape_alias _reshape_copy expand_copy permute_copy unfold_backward linalg_lu lu_unpack im2col "
    "col2im pixel_shuffle"
)
"""Copies, selections, new tensors, random numbers and questions about tensors."""


def formula(*names: str) -> Callable[[Formula], Formula]:
    """Register a formula under plain names; a later one replaces an earlier one."""

    def register(one: Formula) -> Formula:
        FORMULAS.update(dict.fromkeys(names, one))
        return one

    return register


def plain_name(name: str) -> str:
    """Return an operation's name as formulas know it: ``aten::_foreach_add_`` -> ``add``."""
    plain = name.rpartition("::")[2].removeprefix("_foreach_")
    dunder = plain.startswith("__")
    return plain if dunder or plain in FORMULAS else plain.removesuffix("_")


def elements(value: Any) -> int:
    """Return the numbers that a tensor, or the tensors of a sequence, hold; 0 for anything else."""
    if isinstance(value, Tensor):
        return value.numel()
    if isinstance(value, (tuple, list)):
        return sum(elements(part) for part in value)
    return 0


def floating(value: Any) -> bool:
    """Whether a tensor, or the first tensor of a sequence, holds real or complex numbers."""
    if isinstance(value, (tuple, list)):
        return bool(value) and floating(value[0])
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def _larger(args: tuple[Any, ...], out: Any) -> int:
    """Return the elements of the result; of the first argument where that is more or there is no result."""
    if not (floating(args[0]) or (len(args) > 1 and floating(args[1]))):
        return 0
    return max(elements(args[0]), elements(out))


def _times(count: int) -> Formula:
    return lambda args, kwargs, out: count * _larger(args, out)  # noqa: ARG005 -- a formula's signature


def _over_input(count: int) -> Formula:
    return lambda args, kwargs, out: count * elements(args[0]) if floating(args[0]) else 0  # noqa: ARG005 -- likewise


FORMULAS.update({name: _times(1) for name in ONE.split()})
FORMULAS.update({name: _times(count) for name, count in SEVERAL.items()})
FORMULAS.update({name: _over_input(count) for name, count in REDUCING.items()})
FORMULAS.update(dict.fromkeys(NOTHING.split(), lambda args, kwargs, out: 0))  # noqa: ARG005 -- likewise


@formula("add", "sub", "rsub")
def scaled_sum(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """X + alpha y: a sum, and a product where alpha is not 1."""
    alpha = kwargs.get("alpha", args[2] if len(args) > 2 else 1)
    return (1 if isinstance(alpha, (int, float)) and alpha == 1 else 2) * _larger(args, out)


@formula("addcmul", "addcdiv")
def scaled_product(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """X + value a b, x + value a / b: two operations, three where value is not 1."""
    value = kwargs.get("value", args[3] if len(args) > 3 else 1)
    return (2 if isinstance(value, (int, float)) and value == 1 else 3) * _larger(args, out)


@formula("lerp")
def interpolation(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """X + w (y - x): difference, product, sum."""
    del kwargs
    return 3 * _larger(args, out)


@formula("index_add", "scatter_add", "scatter_reduce", "index_reduce")
def added_rows(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """One sum an element of the source."""
    del kwargs, out
    return elements(args[3]) if floating(args[0]) else 0


@formula("sort", "argsort", "topk", "msort", "searchsorted", "kthvalue", "median")
def comparisons(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """N log2 n comparisons for rows of n numbers in all: the order of a sort by comparisons."""
    del kwargs, out
    n = args[0].shape[-1] if isinstance(args[0], Tensor) and args[0].dim() else 1
    return elements(args[0]) * math.ceil(math.log2(max(n, 2))) if floating(args[0]) else 0


@formula("linalg_vector_norm", "norm")
def vector_norm(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Square and sum (of other orders: modulus, then power, sum or comparison), and a root a result."""
    del kwargs
    tensors = args[0] if isinstance(args[0], (tuple, list)) else [args[0]]
    return 2 * elements(tensors) + (elements(out) if out is not None else len(tensors))


@formula("_softmax", "_log_softmax", "_safe_softmax")
def softmax(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Greatest, subtraction, exponential, sum, and quotient (of the logarithm: subtraction)."""
    del kwargs
    return 5 * _larger(args, out)


@formula("_softmax_backward_data", "_log_softmax_backward_data")
def softmax_backward(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Y (g - sum(g y)): product, sum, difference, product; of the logarithm g - exp(y) sum(g), as many."""
    del kwargs
    return 4 * _larger(args, out)


@formula("nll_loss_forward", "nll_loss_backward", "nll_loss2d_forward", "nll_loss2d_backward")
def picked_loss(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """One operation a sample: only the label's column is read or written."""
    del kwargs, out
    label = next(part for part in args if isinstance(part, Tensor) and not part.is_floating_point())
    return elements(label)


@formula("native_layer_norm", "native_group_norm", "native_batch_norm", "cudnn_batch_norm")
def normalisation(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Mean, centring, square, sum and scale, and one each for weight and bias where there are any."""
    del kwargs, out
    affine = sum(1 for part in args[1:4] if isinstance(part, Tensor) and part.is_floating_point())
    return (5 + min(affine, 2)) * elements(args[0])


_native = ("_native_batch_norm_legit", "_native_batch_norm_legit_functional", "_batch_norm_with_update")
FORMULAS.update(dict.fromkeys(_native, normalisation))


@formula("native_layer_norm_backward", "native_group_norm_backward", "native_batch_norm_backward")
def normalisation_backward(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """13 a number: g w; x^ (2); the means of g and of g x^ (3); their removal (3); scale; dw (2), db (1)."""
    del kwargs, out
    return 13 * elements(args[0])


FORMULAS["cudnn_batch_norm_backward"] = FORMULAS["batch_norm_backward"] = normalisation_backward


@formula("_fft_r2c", "_fft_c2r", "_fft_c2c")
def fourier(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """5 N log2 N for complex data, half of it where one side is real: the nominal count FFTW's authors use.

    In real operations already.
    """
    del kwargs
    wide = args[0] if args[0].numel() >= out.numel() else out
    length = math.prod(wide.shape[axis] for axis in args[1])
    if args[0].is_complex() and out.is_complex():
        return math.ceil(5 * elements(wide) * math.log2(max(length, 2)))
    real = out if args[0].is_complex() else args[0]
    length = math.prod(real.shape[axis] for axis in args[1])
    return math.ceil(2.5 * elements(real) * math.log2(max(length, 2)))


FREE_NAMESPACES = frozenset({"profiler", "prim", "debugprims"})
"""Namespaces of operations that compute nothing."""
