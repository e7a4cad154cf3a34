"""A device that is not there: tensors hold CPU data but report the device ``virtual``.

What would fail or wait on a GPU fails or is counted here. An operation that mixes the devices raises, but for
what PyTorch allows on a GPU: a CPU tensor without dimensions in pointwise operations, and indices on the CPU.
Every copy between host and device and every operation whose result the host has to know is recorded.

It needs the Python backends of PyTorch 2.10 (``PrivateUse1``). A process cannot be rid of it again, nor begin
it after a first backward pass: the tests on it run in a process of their own.
"""

import contextlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.utils import backend_registration
from torch.utils._pytree import tree_flatten, tree_map

from tests.device.lstm_cell import FUSED

NAME = "virtual"
AVAILABLE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
REASON = f"PyTorch {torch.__version__} has no Python backends for devices (2.10 and later have)"

HERE = Path(__file__)
ROOT = HERE.parents[2]

# Not tagged as such in PyTorch.
WAITS = {"aten::_linalg_check_errors", "aten::bincount", "aten::repeat_interleave"}
TAKES_SCALARS = {"aten::fill_", "aten::masked_fill", "aten::masked_fill_", "aten::index_put_"}
# Packed sequences keep their lengths and batch sizes on the host.
LENGTHS_ON_THE_HOST = {"aten::_pack_padded_sequence", "aten::_pad_packed_sequence", "aten::lstm"}
TAKES_INDICES = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
# A conjugate is computed at once: what makes it a mere view is switched off below autograd.
INSTEAD = {**FUSED, "aten::_conj": torch.conj_physical, "aten::_neg_view": torch.neg}

# What PyTorch's dispatcher takes and leaves out where no operation is under way.
OUTSIDE_OPERATIONS = torch._C._dispatch_tls_local_include_set(), torch._C._dispatch_tls_local_exclude_set()

_libraries = []
_pinned = {}  # by address; kept, so that no other tensor gets the address
_records = []


@dataclass
class Copy:
    """One copy between host and device, or one wait for a value."""

    operation: str
    place: str
    blocking: bool

    def __str__(self):
        return f"{self.operation} at {self.place}{'' if self.blocking else ', non-blocking'}"


@dataclass
class Traffic:
    """What went between host and device: copies to the host (all make it wait), and to the device."""

    to_host: list = field(default_factory=list)
    to_device: list = field(default_factory=list)

    def __str__(self):
        rows = [f"to the host: {len(self.to_host)}", *map(str, self.to_host)]
        return "\n  ".join([*rows, f"to the device: {len(self.to_device)}", *map(str, self.to_device)])


@contextlib.contextmanager
def recorded():
    """Within, copies are recorded in the `Traffic` that it gives."""
    traffic = Traffic()
    _records.append(traffic)
    try:
        yield traffic
    finally:
        _records.remove(traffic)


def _record(direction, operation, blocking=True):
    if not _records:
        return
    frame, place = sys._getframe(1), "?"
    while frame is not None and place == "?":
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path != HERE:
            place = f"{path.relative_to(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    for traffic in _records:
        getattr(traffic, direction).append(Copy(operation, place, blocking))


class VirtualTensor(torch.Tensor):
    """A tensor on the device; ``held`` is the CPU tensor with its data."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, held):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _run(function, args, kwargs or {})

    def tolist(self):
        _record("to_host", "tolist")
        return self.held.tolist()

    def __repr__(self, **kwargs):
        return f"VirtualTensor({self.held})"

    def __reduce_ex__(self, protocol):
        return self.detach().cpu().__reduce_ex__(protocol)


def _is_ours(device):
    return device is not None and torch.device(device).type == NAME


def _held(value):
    if not isinstance(value, VirtualTensor):
        return value
    if value.held.shape != value.shape or value.held.dtype != value.dtype:
        raise NotImplementedError(f"the device cannot follow: {value.held.shape} became {value.shape}")
    return value.held


def _run(function, args, kwargs):
    schema = function._schema
    if schema.name in ("aten::copy_", "aten::_copy_from"):
        return _copy(schema.name, *args, **kwargs)
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    _check_devices(function, schema, tensors, args)
    _record_waits(function, schema, args, kwargs)
    kwargs, stays = _with_own_device(schema, tensors, kwargs)
    compute = INSTEAD.get(schema.name, function)
    with _own_randomness(function):
        results = compute(*tree_map(_held, args), **tree_map(_held, kwargs))
    if torch.Tag.inplace_view in function.tags and stays:
        # The shape that the device reports follows; to set it is autograd's business, which is switched off.
        with torch._C._ForceDispatchKeyGuard(*OUTSIDE_OPERATIONS):
            args[0].data = VirtualTensor(args[0].held)
    wrapped = _wrapped(schema, args, kwargs, results) if stays else results
    if schema.name in LENGTHS_ON_THE_HOST and len(results) == 2:
        return wrapped[0], results[1]
    return wrapped


def _copy(name, first, second, non_blocking=False):
    source, target = (first, second) if name == "aten::_copy_from" else (second, first)
    ours = isinstance(source, VirtualTensor), isinstance(target, VirtualTensor)
    if ours == (True, False):
        _record("to_host", "copy", not (non_blocking and target.is_pinned()))
    elif ours == (False, True) and source.numel():
        _record("to_device", "copy", not (non_blocking and source.is_pinned()))
    _held(target).copy_(_held(source))
    return target


def _without_gradients(mode=True):
    """In the place of ``torch.inference_mode``: as a context, switched off, and around a function."""
    if callable(mode):
        return torch.no_grad()(mode)
    return torch.no_grad() if mode else contextlib.nullcontext()


def _check_devices(function, schema, tensors, args):
    strangers = [tensor for tensor in tensors if not isinstance(tensor, VirtualTensor)]
    if len(strangers) == len(tensors):
        return
    if torch.Tag.pointwise in function.tags or schema.name in TAKES_SCALARS:
        strangers = [tensor for tensor in strangers if tensor.dim()]
    if schema.name in TAKES_INDICES and isinstance(args[0], VirtualTensor):
        indices = [index for index in args[1] if index is not None]
        for index in indices:
            if not isinstance(index, VirtualTensor):
                _record("to_device", f"{schema.name} with indices on the CPU")
        strangers = [tensor for tensor in strangers if all(tensor is not index for index in indices)]
    if schema.name in LENGTHS_ON_THE_HOST:
        strangers = [tensor for tensor in strangers if tensor.dtype.is_floating_point]
    if strangers:
        raise RuntimeError(
            f"{schema.name}: expected all tensors on one device, but got {[str(t.device) for t in tensors]}"
        )


def _record_waits(function, schema, args, kwargs):
    dynamic = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(function.tags)
    if schema.name in TAKES_INDICES:
        dynamic = any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])
    if schema.name == "aten::repeat_interleave":
        dynamic = kwargs.get("output_size") is None
    elif schema.name in WAITS:
        dynamic = True
    if dynamic:
        _record("to_host", schema.name)


def _with_own_device(schema, tensors, kwargs):
    """Keyword arguments for the data on the CPU, and whether the result stays on the device."""
    kwargs = dict(kwargs)
    stays = any(isinstance(tensor, VirtualTensor) for tensor in tensors)
    if kwargs.get("device") is not None:
        stays, was = _is_ours(kwargs["device"]), stays
        kwargs["device"] = torch.device("cpu")
        if was and not stays and schema.name == "aten::_to_copy":
            _record("to_host", "copy")
    kwargs.pop("pin_memory", None)
    if stays and kwargs.get("generator") is not None:
        raise RuntimeError(f"{schema.name}: expected a generator of {NAME}, but got one of the CPU")
    return kwargs, stays


@contextlib.contextmanager
def _own_randomness(function):
    """Within, random numbers come from the device's generator and leave the CPU's alone."""
    if torch.Tag.nondeterministic_seeded not in function.tags:
        yield
        return
    state = torch.default_generator.get_state()
    torch.default_generator.set_state(Backend.generator.get_state())
    try:
        yield
    finally:
        Backend.generator.set_state(torch.default_generator.get_state())
        torch.default_generator.set_state(state)


def _wrapped(schema, args, kwargs, results):
    """Results on the device; what an operation writes into is its argument itself."""
    single = not isinstance(results, tuple | list)
    named = {argument.name: value for argument, value in zip(schema.arguments, args, strict=False)}
    named.update(kwargs)
    written = {}
    for argument in schema.arguments:
        if argument.alias_info is not None and argument.alias_info.is_write and argument.name in named:
            written[frozenset(argument.alias_info.before_set)] = named[argument.name]
    wrapped = []
    for position, result in enumerate([results] if single else results):
        returned = schema.returns[min(position, len(schema.returns) - 1)] if schema.returns else None
        alias = returned.alias_info if returned is not None else None
        if alias is not None and alias.is_write:
            argument = written[frozenset(alias.before_set)]
            for own in argument if isinstance(argument, list | tuple) else [argument]:
                _held(own)  # raises if its shape has changed
            wrapped.append(argument)
        else:
            wrapped.append(tree_map(lambda t: VirtualTensor(t) if isinstance(t, torch.Tensor) else t, result))
    return wrapped[0] if single else type(results)(wrapped)


class Backend:
    """What PyTorch asks of ``torch.virtual``."""

    generator = torch.Generator()

    @staticmethod
    def manual_seed_all(seed):
        # Not the numbers that a CPU draws from the same seed.
        Backend.generator.manual_seed(seed ^ 0x5EED)

    manual_seed = manual_seed_all
    is_available = is_initialized = staticmethod(lambda: True)
    _is_in_bad_fork = staticmethod(lambda: False)
    device_count = staticmethod(lambda: 1)
    current_device = staticmethod(lambda: 0)
    set_device = synchronize = empty_cache = staticmethod(lambda *args: None)
    get_amp_supported_dtype = staticmethod(lambda: [torch.float16, torch.bfloat16])
    get_rng_state = staticmethod(lambda device=None: Backend.generator.get_state())
    set_rng_state = staticmethod(lambda state, device=None: Backend.generator.set_state(state))


def _factories():
    """Operations that make a tensor out of none: nothing tells PyTorch whose they are but the device."""
    for name in torch._C._dispatch_get_all_op_names():
        space, _, name = name.partition("::")
        packet, _, overload = name.partition(".")
        if space != "aten" or not hasattr(torch.ops.aten, packet):
            continue
        function = getattr(getattr(torch.ops.aten, packet), overload or "default", None)
        if function is None:
            continue
        types = [str(argument.type) for argument in function._schema.arguments]
        names = [argument.name for argument in function._schema.arguments]
        if "device" in names and not any("Tensor" in kind for kind in types):
            yield name, function


def register():
    """Makes the device known to this process; once is enough."""
    if _libraries:
        return
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=Backend)
    library = torch.library.Library("aten", "IMPL")
    for name, function in _factories():

        def make(*args, function=function, **kwargs):
            return _run(function, args, kwargs)

        library.impl(name, make, "PrivateUse1")
    # torch.tensor(…, device="virtual") comes here.
    library.impl("_copy_from", lambda *args: _copy("aten::_copy_from", *args), "PrivateUse1")
    _libraries.append(library)
    # Autocast does nothing: the data is computed with as it is.
    library = torch.library.Library("_", "IMPL")
    library.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    _libraries.append(library)

    def pin_memory(tensor, device=None):
        tensor = tensor.clone()
        _pinned[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    def is_pinned(tensor, device=None):
        return tensor.device.type == "cpu" and tensor.untyped_storage().data_ptr() in _pinned

    torch.Tensor.pin_memory, torch.Tensor.is_pinned = pin_memory, is_pinned
    # A wrapper's views want the version counter that tensors have not got there.
    torch.inference_mode = _without_gradients
