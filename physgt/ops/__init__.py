"""The kernels that models stand on."""

from physgt.ops.memory import keep_free_memory

keep_free_memory()
