// The C interface of physgt_step.h over the loader of torch.

#include "physgt_step.h"

#include <ATen/ops/from_blob.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <cstdlib>
#include <string>

using torch::inductor::AOTIModelPackageLoader;

static thread_local std::string last_error;

void* physgt_load(const char* path) try {
  // Without it a package reads arrays of any size as if they had its own.
  setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", 0);
  return new AOTIModelPackageLoader(path);
} catch (const std::exception& error) {
  last_error = error.what();
  return nullptr;
}

int physgt_step(void* step, int64_t nodes, int64_t components, float* state, int64_t forcings,
                const float* forcing) try {
  at::Tensor now = at::from_blob(state, {nodes, components}, at::kFloat);
  at::Tensor given = at::from_blob(const_cast<float*>(forcing), {nodes, forcings}, at::kFloat);
  now.copy_(static_cast<AOTIModelPackageLoader*>(step)->run({now, given})[0]);
  return 0;
} catch (const std::exception& error) {
  last_error = error.what();
  return 1;
}

void physgt_free(void* step) { delete static_cast<AOTIModelPackageLoader*>(step); }

const char* physgt_error(void) { return last_error.c_str(); }
