// ckpt: everything is in program.cpp.
#include "cli/program.h"

int main(int argc, char** argv) {
  return ckpt::main_with(argc, argv);
}
