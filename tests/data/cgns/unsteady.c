/* Writes unsteady.cgns with the CGNS library (Debian: libcgns-dev):
   cc unsteady.c -o unsteady -lcgns && ./unsteady
   Two unstructured zones of hexahedra side by side (2 x 1 x 1 and 1 x 1 x 1), three times: at the
   vertices Temperature = x + 10 t, at the cells Pressure = 100 + number + t; an inlet at x = 0. */
#include <cgnslib.h>
#include <stdio.h>
#include <string.h>

static void zone(int file, int base, const char *name, double x0, int cells, int inlet) {
  cgsize_t size[3] = {4 * (cells + 1), cells, 0}, nodes[8 * 2];
  int z, index, section, bc;
  double x[12], y[12], w[12];
  for (int i = 0; i <= cells; i++)
    for (int k = 0; k < 4; k++) {
      x[4 * i + k] = x0 + i; y[4 * i + k] = k == 1 || k == 2; w[4 * i + k] = k >= 2;
    }
  for (int i = 0; i < cells; i++)
    for (int k = 0; k < 8; k++) nodes[8 * i + k] = 4 * i + k + 1;
  cg_zone_write(file, base, name, size, Unstructured, &z);
  cg_coord_write(file, base, z, RealDouble, "CoordinateX", x, &index);
  cg_coord_write(file, base, z, RealDouble, "CoordinateY", y, &index);
  cg_coord_write(file, base, z, RealDouble, "CoordinateZ", w, &index);
  cg_section_write(file, base, z, "Hexahedra", HEXA_8, 1, cells, 0, nodes, &section);
  if (inlet) {
    cgsize_t quad[4] = {1, 4, 3, 2}, range[2] = {cells + 1, cells + 1};
    cg_section_write(file, base, z, "inlet", QUAD_4, cells + 1, cells + 1, 0, quad, &section);
    cg_boco_write(file, base, z, "inlet", BCInflow, PointRange, 2, range, &bc);
    cg_boco_gridlocation_write(file, base, z, bc, FaceCenter);
  }
  char pointers[2][3 * 32 + 1] = {"", ""};
  for (int t = 0; t < 3; t++) {
    char vertex[33], centre[33];
    double values[12];
    int solution;
    snprintf(vertex, 33, "Vertex%d", t); snprintf(centre, 33, "Cell%d", t);
    for (int i = 0; i < size[0]; i++) values[i] = x[i] + 10 * 0.5 * t;
    cg_sol_write(file, base, z, vertex, Vertex, &solution);
    cg_field_write(file, base, z, solution, RealDouble, "Temperature", values, &index);
    for (int i = 0; i < cells; i++) values[i] = 100 + x0 + i + 0.5 * t;
    cg_sol_write(file, base, z, centre, CellCenter, &solution);
    cg_field_write(file, base, z, solution, RealDouble, "Pressure", values, &index);
    sprintf(pointers[0] + 32 * t, "%-32s", vertex); sprintf(pointers[1] + 32 * t, "%-32s", centre);
  }
  cgsize_t shape[2] = {32, 3};
  cg_ziter_write(file, base, z, "ZoneIterativeData");
  cg_goto(file, base, "Zone_t", z, "ZoneIterativeData_t", 1, "end");
  cg_array_write("FlowSolutionPointers", Character, 2, shape, pointers[0]);
  cg_array_write("FlowSolutionCellPointers", Character, 2, shape, pointers[1]);
}

int main(void) {
  int file, base;
  double times[3] = {0, 0.5, 1};
  cgsize_t three = 3;
  cg_set_file_type(CG_FILE_HDF5);
  if (cg_open("unsteady.cgns", CG_MODE_WRITE, &file)) cg_error_exit();
  cg_base_write(file, "Base", 3, 3, &base);
  zone(file, base, "left", 0, 2, 1);
  zone(file, base, "right", 2, 1, 0);
  cg_simulation_type_write(file, base, TimeAccurate);
  cg_biter_write(file, base, "TimeIterValues", 3);
  cg_goto(file, base, "BaseIterativeData_t", 1, "end");
  cg_array_write("TimeValues", RealDouble, 1, &three, times);
  return cg_close(file);
}
