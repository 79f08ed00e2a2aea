"""A simulation in an HDF5 file of your own layout becomes a trajectory that physgt trains on.

    python examples/own_hdf5.py mine.h5 mine.vtkhdf

Here the file holds /mesh/pos, /mesh/cells, /mesh/node_type, /time and /fields/NAME (times, nodes,
components); change the names to those of your file. A mesh that moves has the field `points`.
"""

import sys

import h5py

from physgt import Mesh, Trajectory
from physgt.datasets import write_trajectory

source, target = sys.argv[1:]
with h5py.File(source) as file:
    cells = (file.attrs["cell_kind"], file["mesh/cells"][:])  # such as ("triangle", (m, 3) nodes)
    mesh = Mesh.from_blocks(file["mesh/pos"][:], [cells], node_type=file["mesh/node_type"][:])
    fields = {name: values[:] for name, values in file["fields"].items()}
    if "world_pos" in fields:
        fields["points"] = fields.pop("world_pos")
    units = {"velocity": "m/s", "displacement": "m", "points": "m"}
    trajectory = Trajectory.from_arrays(mesh, file["time"][:], fields, units=units)
write_trajectory(trajectory, target)
