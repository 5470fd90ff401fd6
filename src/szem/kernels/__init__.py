"""Kernels, and what they do to pictures: convolution, edges, pooling, and the arithmetic of layers."""

from szem.kernels.borders import BORDERS, Border
from szem.kernels.convolution import convolve
from szem.kernels.kernel import Kernel
from szem.kernels.library import COMPASS, KERNELS, Parameter, Recipe
from szem.kernels.plan import MODES, WAYS, Option, Plan, plan_convolution
from szem.kernels.text import as_kernel, parse_kernel
from szem.kernels.views import VIEWS, signed_colors, view

__all__ = [
    "BORDERS",
    "COMPASS",
    "KERNELS",
    "MODES",
    "VIEWS",
    "WAYS",
    "Border",
    "Kernel",
    "Option",
    "Parameter",
    "Plan",
    "Recipe",
    "as_kernel",
    "convolve",
    "parse_kernel",
    "plan_convolution",
    "signed_colors",
    "view",
]
