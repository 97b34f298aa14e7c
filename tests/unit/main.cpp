// Entry of the unit tests. They are also their own monitor: start_monitor() runs /proc/self/exe again.
#include <catch2/catch_session.hpp>
#include <string_view>

#include "runtimes/interrupt.h"
#include "runtimes/supervisor.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "__monitor") {
    ckpt::catch_interrupts();
    return ckpt::monitor_main(argv[2], 3);
  }
  return Catch::Session().run(argc, argv);
}
