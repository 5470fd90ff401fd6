"""Kernels, and what they do to pictures: convolution, edges, pooling, and the arithmetic of layers."""

from szem.kernels.borders import BORDERS, Border, border_index
from szem.kernels.convolution import convolve
from szem.kernels.edges import EDGE_FAMILIES, Edges, edges
from szem.kernels.kernel import Kernel
from szem.kernels.layers import Cost, Layer, ReceptiveField, layer_cost, output_size, receptive_field
from szem.kernels.library import COMPASS, KERNELS, KernelRecipe, Parameter
from szem.kernels.plan import DEFAULT_MODE, MODES, WAYS, Option, Plan, plan_convolution
from szem.kernels.pooling import average_pool, max_pool
from szem.kernels.signed_colors import signed_colors
from szem.kernels.text import KernelInput, as_kernel, parse_kernel
from szem.kernels.views import VIEWS, default_view, view

__all__ = [
    "BORDERS",
    "COMPASS",
    "DEFAULT_MODE",
    "EDGE_FAMILIES",
    "KERNELS",
    "MODES",
    "VIEWS",
    "WAYS",
    "Border",
    "Cost",
    "Edges",
    "Kernel",
    "KernelInput",
    "KernelRecipe",
    "Layer",
    "Option",
    "Parameter",
    "Plan",
    "ReceptiveField",
    "as_kernel",
    "average_pool",
    "border_index",
    "convolve",
    "default_view",
    "edges",
    "layer_cost",
    "max_pool",
    "output_size",
    "parse_kernel",
    "plan_convolution",
    "receptive_field",
    "signed_colors",
    "view",
]
