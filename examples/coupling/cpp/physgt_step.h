/* Learned time steps for programs in C and Fortran: what `physgt export compiled` wrote. */
#ifndef PHYSGT_STEP_H
#define PHYSGT_STEP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Loads a package for one mesh; NULL where it can't, physgt_error() then says why. */
void* physgt_load(const char* path);

/* Advances `state` (nodes, components) by one dt in place. Row after row, as a C array [nodes][components]
   or a Fortran array (components, nodes). `forcing` (nodes, forcings) is that of the old time.
   Returns 0, or 1 where it can't. */
int physgt_step(void* step, int64_t nodes, int64_t components, float* state, int64_t forcings,
                const float* forcing);

void physgt_free(void* step);

/* The last error of this thread. */
const char* physgt_error(void);

#ifdef __cplusplus
}
#endif
#endif
