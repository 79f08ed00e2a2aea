"""The kernels that models stand on."""
