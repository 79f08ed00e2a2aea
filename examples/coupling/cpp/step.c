/* A C program takes learned time steps: as step.cpp, for a model without forcings.

       step_c step.pt2 NODES COMPONENTS STEPS state.bin result.bin                       */

#include <stdio.h>
#include <stdlib.h>

#include "physgt_step.h"

int main(int count, char** arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: step_c step.pt2 NODES COMPONENTS STEPS state.bin result.bin\n");
    return 2;
  }
  const size_t nodes = strtoul(arguments[2], NULL, 10), components = strtoul(arguments[3], NULL, 10);
  const long steps = strtol(arguments[4], NULL, 10);
  const size_t size = nodes * components;
  float* state = malloc(size * sizeof(float));
  FILE* file = fopen(arguments[5], "rb");
  if (!file || fread(state, sizeof(float), size, file) != size) {
    fprintf(stderr, "step_c: %s: expected %zu numbers\n", arguments[5], size);
    return 1;
  }
  fclose(file);
  void* step = physgt_load(arguments[1]);
  int failed = step == NULL;
  for (long i = 0; i < steps && !failed; ++i)
    failed = physgt_step(step, nodes, components, state, 0, state);
  if (failed) {
    fprintf(stderr, "step_c: %s\n", physgt_error());
    return 1;
  }
  physgt_free(step);
  file = fopen(arguments[6], "wb");
  if (!file || fwrite(state, sizeof(float), size, file) != size || fclose(file)) {
    fprintf(stderr, "step_c: %s: cannot be written\n", arguments[6]);
    return 1;
  }
  free(state);
  return 0;
}
