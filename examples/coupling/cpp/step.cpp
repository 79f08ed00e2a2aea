// A C++ solver takes learned time steps: loads what `physgt export compiled` wrote and runs it.
//
//     step step.pt2 NODES STEPS state.bin forcing.bin result.bin
//
// The files hold float32, one row a node: (NODES, S) state and result, (NODES, F) forcing.

#include <ATen/ops/from_blob.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

static at::Tensor read(const std::string& path, int64_t nodes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  const int64_t columns = bytes.size() / sizeof(float) / nodes;
  return at::from_blob(bytes.data(), {nodes, columns}, at::kFloat).clone();
}

int main(int count, char** arguments) {
  if (count != 7) {
    std::cerr << "usage: step step.pt2 NODES STEPS state.bin forcing.bin result.bin\n";
    return 2;
  }
  try {
    const int64_t nodes = std::stoll(arguments[2]), steps = std::stoll(arguments[3]);
    // Without it a package reads arrays of any size as if they had its own.
    setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", 0);
    torch::inductor::AOTIModelPackageLoader step(arguments[1]);
    std::cout << step.get_metadata().at("physgt") << '\n';  // dt, and the columns of each field
    at::Tensor state = read(arguments[4], nodes);
    const at::Tensor forcing = read(arguments[5], nodes);
    for (int64_t i = 0; i < steps; ++i) {
      // A solver would now set the boundary values of `state`, and the forcing.
      state = step.run({state, forcing})[0].contiguous();
    }
    std::ofstream(arguments[6], std::ios::binary)
        .write(static_cast<const char*>(state.const_data_ptr()), state.nbytes());
  } catch (const std::exception& error) {
    std::cerr << "step: " << error.what() << '\n';
    return 1;
  }
}
